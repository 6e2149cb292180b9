#include "collectors/sources/netstat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"
#include "tests/unit/collectors/sources/complete_samples.h"

namespace finwait::sources {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const bool kNetstatComplete = [] {
  NetstatSample sample;
  for (auto* counter : {&sample.abort_failed, &sample.abort_on_timeout, &sample.abort_on_close, &sample.abort_on_memory,
                        &sample.retrans_segs, &sample.timeouts, &sample.out_rsts}) {
    *counter = 0;
  }
  return CompleteSamples::Add(sample);
}();

constexpr const char* kNetstat = "thread-self/net/netstat";
constexpr const char* kSnmp = "thread-self/net/snmp";

struct HostWithCounters : kernel::ProcfsFixture {
  HostWithCounters() {
    Write(kNetstat,
          "TcpExt: SyncookiesSent TCPTimeouts TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortFailed Last\n"
          "TcpExt: 1 2 3 4 5 18446744073709551615 7\n"
          "IpExt: InNoRoutes TCPTimeouts\n"
          "IpExt: 8 9\n");
    Write(kSnmp,
          "Ip: Forwarding DefaultTTL\n"
          "Ip: 1 64\n"
          "Tcp: RtoAlgorithm MaxConn RetransSegs InErrs OutRsts\n"
          "Tcp: 1 -1 11 12 13\n"
          "Udp: InDatagrams OutRsts\n"
          "Udp: 14 15\n");
  }
};

Result<Collected> Collect(const kernel::ProcfsFixture& procfs) {
  return NetstatCollector(procfs.MakeHost()).Collect(Deadline::After(std::chrono::seconds(5)));
}

const NetstatSample& SampleOf(const Result<Collected>& collected) {
  return dynamic_cast<const NetstatSample&>(*collected.value().data);
}

TEST(NetstatCollector, FindsEachCounterByItsNameAndGroup) {
  const HostWithCounters procfs;
  const auto collected = Collect(procfs);
  ASSERT_TRUE(collected);
  EXPECT_THAT(collected->gaps, IsEmpty());
  const NetstatSample& sample = SampleOf(collected);
  EXPECT_EQ(sample.timeouts, 2u);
  EXPECT_EQ(sample.abort_on_close, 3u);
  EXPECT_EQ(sample.abort_on_memory, 4u);
  EXPECT_EQ(sample.abort_on_timeout, 5u);
  EXPECT_EQ(sample.abort_failed, 18446744073709551615u);
  EXPECT_EQ(sample.retrans_segs, 11u);
  EXPECT_EQ(sample.out_rsts, 13u);
}

TEST(NetstatCollector, TakesAColumnThatThisKernelLacksAsAbsent) {
  const HostWithCounters procfs;
  procfs.Write(kSnmp, "Tcp: RtoAlgorithm OutRsts\nTcp: 1 13\n");
  const auto collected = Collect(procfs);
  ASSERT_TRUE(collected);
  EXPECT_THAT(collected->gaps, IsEmpty());
  EXPECT_EQ(SampleOf(collected).retrans_segs, std::nullopt);
  EXPECT_EQ(SampleOf(collected).out_rsts, 13u);
}

// The file is not understood: one gap with these words, none of its counters, and the other file's all the same.
void ExpectSnmpNotUnderstood(std::string_view snmp, const std::string& words) {
  SCOPED_TRACE(snmp.substr(0, 80));
  const HostWithCounters procfs;
  procfs.Write(kSnmp, snmp);
  const auto collected = Collect(procfs);
  ASSERT_TRUE(collected);
  ASSERT_THAT(collected->gaps, SizeIs(1));
  EXPECT_EQ(collected->gaps[0].reason, FailureReason::kError);
  EXPECT_THAT(collected->gaps[0].message, HasSubstr("thread-self/net/snmp"));
  EXPECT_THAT(collected->gaps[0].message, HasSubstr(words));
  EXPECT_LT(collected->gaps[0].message.size(), 500u);
  EXPECT_EQ(SampleOf(collected).retrans_segs, std::nullopt);
  EXPECT_EQ(SampleOf(collected).out_rsts, std::nullopt);
  EXPECT_EQ(SampleOf(collected).timeouts, 2u);
}

TEST(NetstatCollector, BelievesNothingOfAGroupThatIsGarbled) {
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: 1 -2\n", "OutRsts is \"-2\", not a 64-bit whole number");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: 1 18446744073709551616\n", "\"18446744073709551616\"");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: 1 two\n", "OutRsts is \"two\"");
  ExpectSnmpNotUnderstood(std::string_view("Tcp: RetransSegs OutRsts\nTcp: 1 2\0\n", 34), "OutRsts is \"2\\x00\"");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: 1  2\n", "OutRsts is \"\"");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: " + std::string(500, '9') + " 2\n", "RetransSegs is \"999");
}

TEST(NetstatCollector, RefusesLinesOfUnequalLength) {
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: 1\n", "is not as long as");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: 1 2 3\n", "is not as long as");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\nTcp: \n", "is not as long as");
}

TEST(NetstatCollector, RefusesAFileWithoutThePairOfLines) {
  ExpectSnmpNotUnderstood("", "Tcp: no line of names followed by a line of values");
  ExpectSnmpNotUnderstood("Tcp: RetransSegs OutRsts\n", "no line of names");
  ExpectSnmpNotUnderstood("TcpExt: RetransSegs OutRsts\nTcpExt: 1 2\n", "no line of names");
  ExpectSnmpNotUnderstood("Tcp:\nTcp:\n", "no line of names");
  ExpectSnmpNotUnderstood(std::string(100'000, 'x'), "a line longer than");
}

TEST(NetstatCollector, CallsAFileThatIsNotThereAGap) {
  const HostWithCounters procfs;
  procfs.Remove(kNetstat);
  const auto collected = Collect(procfs);
  ASSERT_TRUE(collected);
  ASSERT_THAT(collected->gaps, SizeIs(1));
  EXPECT_EQ(collected->gaps[0].reason, FailureReason::kUnsupported);
  EXPECT_EQ(SampleOf(collected).abort_failed, std::nullopt);
  EXPECT_EQ(SampleOf(collected).out_rsts, 13u);
}

TEST(NetstatCollector, FailsWhereNeitherFileIsThere) {
  const kernel::ProcfsFixture procfs;
  const auto collected = Collect(procfs);
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().reason, FailureReason::kUnsupported);
  EXPECT_THAT(collected.error().message, HasSubstr("thread-self/net/netstat"));
}

TEST(NetstatCollector, EndsAtItsDeadline) {
  const HostWithCounters procfs;
  const auto collected = NetstatCollector(procfs.MakeHost()).Collect(Deadline::After(std::chrono::seconds(0)));
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().reason, FailureReason::kTimeout);
}

}  // namespace
}  // namespace finwait::sources
