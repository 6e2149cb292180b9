#include "collectors/sources/sysctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/lab/namespace.h"

namespace finwait::sources {
namespace {

using testing::EndsWith;
using testing::IsEmpty;
using testing::SizeIs;

Result<Collected> CollectSysctl(const lab::Namespace& where) {
  Result<Collected> collected;
  where.Run([&] {
    SysctlCollector collector(kernel::OpenHost("/proc").value());
    collected = collector.Collect(Deadline::After(std::chrono::seconds(5)));
  });
  return collected;
}

const SysctlSample& SampleOf(const Result<Collected>& collected) {
  return dynamic_cast<const SysctlSample&>(*collected.value().data);
}

// What `sysctl -n` prints; empty where it does not know the name.
std::string SysctlOracle(const lab::Namespace& where, const std::string& name) {
  std::string value = where.Command({"sysctl", "-n", name}).out;
  if (value.ends_with('\n')) {
    value.pop_back();
  }
  return value;
}

std::string Text(const std::optional<std::uint32_t>& value) { return value ? std::to_string(*value) : ""; }
std::string Text(const std::optional<std::chrono::seconds>& value) {
  return value ? std::to_string(value->count()) : "";
}

void ExpectEqualToSysctls(const lab::Namespace& where, const SysctlSample& sample) {
  for (std::size_t i = 0; i < kConntrackTcpTimeoutNames.size(); ++i) {
    const std::string name = "net.netfilter.nf_conntrack_tcp_timeout_" + std::string(kConntrackTcpTimeoutNames[i]);
    EXPECT_EQ(Text(sample.conntrack_tcp_timeouts[i]), SysctlOracle(where, name)) << name;
  }
  EXPECT_EQ(Text(sample.conntrack_tcp_loose), SysctlOracle(where, "net.netfilter.nf_conntrack_tcp_loose"));
  EXPECT_EQ(Text(sample.conntrack_tcp_be_liberal), SysctlOracle(where, "net.netfilter.nf_conntrack_tcp_be_liberal"));
  EXPECT_EQ(Text(sample.conntrack_events), SysctlOracle(where, "net.netfilter.nf_conntrack_events"));
  EXPECT_EQ(Text(sample.tcp_keepalive_time), SysctlOracle(where, "net.ipv4.tcp_keepalive_time"));
  EXPECT_EQ(Text(sample.tcp_keepalive_interval), SysctlOracle(where, "net.ipv4.tcp_keepalive_intvl"));
  EXPECT_EQ(Text(sample.tcp_keepalive_probes), SysctlOracle(where, "net.ipv4.tcp_keepalive_probes"));
  EXPECT_EQ(Text(sample.tcp_fin_timeout), SysctlOracle(where, "net.ipv4.tcp_fin_timeout"));
  EXPECT_EQ(Text(sample.tcp_orphan_retries), SysctlOracle(where, "net.ipv4.tcp_orphan_retries"));
  EXPECT_EQ(Text(sample.tcp_orphans_limit), SysctlOracle(where, "net.ipv4.tcp_max_orphans"));
}

TEST(SysctlCollector, AgreesWithSysctlOnAFreshNamespace) {
  const lab::Namespace where;
  const auto collected = CollectSysctl(where);
  ASSERT_TRUE(collected);
  EXPECT_THAT(collected->gaps, IsEmpty());
  ExpectEqualToSysctls(where, SampleOf(collected));
}

TEST(SysctlCollector, ReadsTheValuesOfItsOwnNamespaceAndOfNoOther) {
  const lab::Namespace where;
  const lab::Namespace other;
  int value = 200;
  for (const std::string_view name : kConntrackTcpTimeoutNames) {
    where.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_" + std::string(name), std::to_string(++value));
  }
  where.Sysctl("net.netfilter.nf_conntrack_tcp_loose", "0");
  where.Sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", "1");
  where.Sysctl("net.netfilter.nf_conntrack_events", "1");
  where.Sysctl("net.ipv4.tcp_keepalive_time", "301");
  where.Sysctl("net.ipv4.tcp_keepalive_intvl", "31");
  where.Sysctl("net.ipv4.tcp_keepalive_probes", "5");
  where.Sysctl("net.ipv4.tcp_fin_timeout", "33");
  where.Sysctl("net.ipv4.tcp_orphan_retries", "3");

  const auto collected = CollectSysctl(where);
  ASSERT_TRUE(collected);
  EXPECT_THAT(collected->gaps, IsEmpty());
  const SysctlSample& sample = SampleOf(collected);
  ExpectEqualToSysctls(where, sample);
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kEstablished), std::chrono::seconds(203));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kUnacknowledged), std::chrono::seconds(210));
  EXPECT_EQ(sample.conntrack_tcp_loose, 0u);
  EXPECT_EQ(sample.tcp_keepalive_time, std::chrono::seconds(301));
  EXPECT_EQ(sample.tcp_orphan_retries, 3u);

  const auto untouched = CollectSysctl(other);
  ASSERT_TRUE(untouched);
  ExpectEqualToSysctls(other, SampleOf(untouched));
  EXPECT_NE(SampleOf(untouched).Timeout(ConntrackTcpTimeout::kEstablished), std::chrono::seconds(203));
}

// Only the initial network namespace has net.ipv4.tcp_max_orphans.
TEST(SysctlCollector, HasNoOrphansLimitInANamespaceThatShowsNone) {
  const lab::Namespace where;
  const auto collected = CollectSysctl(where);
  ASSERT_TRUE(collected);
  EXPECT_EQ(SampleOf(collected).tcp_orphans_limit, std::nullopt);
  EXPECT_THAT(collected->gaps, IsEmpty());
}

// The kernel takes -1 for a timeout and makes it one of months.
TEST(SysctlCollector, CallsATimeoutThatTheKernelShowsAsNegativeAGap) {
  const lab::Namespace where;
  where.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_close_wait", "-1");
  const auto collected = CollectSysctl(where);
  ASSERT_TRUE(collected);
  ASSERT_THAT(collected->gaps, SizeIs(1));
  EXPECT_THAT(collected->gaps[0].message,
              EndsWith("nf_conntrack_tcp_timeout_close_wait holds \"-1\", not a whole number from 0 to 4294967295"));
  EXPECT_EQ(SampleOf(collected).Timeout(ConntrackTcpTimeout::kCloseWait), std::nullopt);
}

}  // namespace
}  // namespace finwait::sources
