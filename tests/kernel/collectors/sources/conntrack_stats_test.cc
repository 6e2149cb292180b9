#include "collectors/sources/conntrack_stats.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <map>
#include <sstream>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/kernel_version.h"

namespace finwait::sources {
namespace {

using lab::Connect;
using lab::Listener;
using lab::Wire;

// `conntrack -S`: "cpu=0 found=0 invalid=1 ... chaintoolong=0", a line for each CPU.
std::map<std::string, std::uint64_t> SumOfConntrackTool(const lab::Namespace& where) {
  std::map<std::string, std::uint64_t> sums;
  std::istringstream words(where.Shell("conntrack -S"));
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    if (name == "cpu") {
      continue;
    }
    sums[name == "chaintoolong" ? "chain_too_long" : name] += std::stoull(word.substr(equals + 1));
  }
  return sums;
}

std::map<std::string, std::uint64_t> SumOfCollector(const lab::Namespace& where) {
  const auto sample = lab::Collect<ConntrackStatsSample, ConntrackStatsCollector>(where);
  std::map<std::string, std::uint64_t> sums;
  for (std::size_t i = 0; i < kConntrackStatCount; ++i) {
    if (sample.counters[i]) {
      sums[std::string(Name(static_cast<ConntrackStat>(i)))] = *sample.counters[i];
    }
  }
  return sums;
}

TEST(ConntrackStatsTest, AgreesWithTheConntrackToolOnEveryCounterAndTheTableSize) {
  const Wire wire;
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 5; ++i) {
    held.push_back(Connect(wire.local, Wire::kPeer4, 80));
    held.push_back(listener.Accept());
  }
  EXPECT_EQ(SumOfCollector(wire.local), SumOfConntrackTool(wire.local));
  // chain_toolong came with 5.15.
  EXPECT_EQ(SumOfCollector(wire.local).size(), kConntrackStatCount - (lab::KernelIsAtLeast(5, 15) ? 0 : 1));

  const auto sample = lab::Collect<ConntrackStatsSample, ConntrackStatsCollector>(wire.local);
  EXPECT_EQ(sample.entries, 5U);
  EXPECT_EQ(std::to_string(*sample.entries) + "\n", wire.local.Shell("conntrack -C"));
  EXPECT_EQ(std::to_string(*sample.entries_limit) + "\n", wire.local.Shell("sysctl -n net.netfilter.nf_conntrack_max"));
  EXPECT_EQ(std::to_string(*sample.buckets) + "\n", wire.local.Shell("sysctl -n net.netfilter.nf_conntrack_buckets"));
}

TEST(ConntrackStatsTest, InvalidRisesWhenAFinWithoutAnEntryIsSent) {
  const Wire wire;
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  EXPECT_EQ(SumOfCollector(wire.local).at("invalid"), 0U);
  wire.local.Shell("conntrack -F 2>/dev/null");
  client.Reset();
  EXPECT_TRUE(lab::Eventually([&] { return SumOfCollector(wire.local).at("invalid") >= 2; }));
  EXPECT_EQ(SumOfCollector(wire.peer).at("invalid"), 0U);
}

TEST(ConntrackStatsTest, WithoutTheCapabilityTheTableSizeIsStillReadAndTheRestIsAGap) {
  const Wire wire;
  const lab::CommandOutput nobody = wire.local.Command({"id", "-u", "nobody"});
  ASSERT_EQ(nobody.exit_code, 0);
  wire.local.Run([&] {
    // Only this thread's credentials change: the raw system call, not glibc's, which tells all threads.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    ConntrackStatsCollector collector(lab::HostHere());
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(5)));
    ASSERT_TRUE(collected.has_value());
    const auto& sample = dynamic_cast<const ConntrackStatsSample&>(*collected->data);
    EXPECT_EQ(sample.entries, 0U);
    EXPECT_FALSE(sample.counters[0].has_value());
    ASSERT_EQ(collected->gaps.size(), 1U);
    EXPECT_EQ(collected->gaps[0].reason, FailureReason::kPermission);
    EXPECT_NE(collected->gaps[0].message.find("CAP_NET_ADMIN"), std::string::npos) << collected->gaps[0].message;
  });
}

}  // namespace
}  // namespace finwait::sources
