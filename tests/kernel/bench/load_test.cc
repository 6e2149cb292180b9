// The generators behind the benchmarks, at sizes that take no time: what they claim to make is there.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sockets.h"
#include "tests/bench/load/conntrack_fill.h"
#include "tests/bench/load/kube_rules.h"
#include "tests/bench/load/socket_farm.h"
#include "tests/bench/raw_dump.h"
#include "tests/lab/host.h"

namespace finwait::bench {
namespace {

constexpr std::size_t kEntries = 400;
constexpr std::size_t kSockets = 200;
constexpr std::size_t kRules = 160;

TEST(LoadTest, FillsTheTableOfOneNamespaceWithEveryKindOfEntry) {
  const lab::Namespace alone;
  alone.Run([] {
    FillConntrack(kEntries);
    EXPECT_EQ(ConntrackCount(), kEntries);
    EXPECT_GT(RawConntrackDump(), kEntries * 100);
  });
  const auto sample = lab::Collect<sources::ConntrackTableSample, sources::ConntrackTableCollector>(alone);
  for (const sources::FlowCounts& flows : sample.flows) {
    EXPECT_GT(flows.tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kEstablished)], flows.udp);
    EXPECT_GT(flows.tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kCloseWait)], 0U);
    EXPECT_GT(flows.udp, 0U);
  }
  EXPECT_GT(sample.flows[0].icmp, 0U);
  const lab::Namespace other;
  other.Run([] { EXPECT_EQ(ConntrackCount(), 0U); });
}

TEST(LoadTest, OpensRealSocketsOfBothFamiliesInSeveralStates) {
  const lab::Namespace alone;
  const SocketFarm farm(alone, kSockets);
  alone.Run([] {
    EXPECT_GT(RawSocketDump(0x1fff, 0), kSockets * 50);
    sources::SocketsCollector collector(lab::HostHere(), Pacer(std::chrono::seconds(5), 1));
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(10)));
    ASSERT_TRUE(collected);
    const auto& counts = dynamic_cast<const sources::SocketsSample&>(*collected->data).counts;
    for (const kernel::SocketCounts& family : counts) {
      EXPECT_GT(family[static_cast<std::size_t>(kernel::TcpState::kEstablished)], kSockets / 16);
    }
    EXPECT_GT(counts[0][static_cast<std::size_t>(kernel::TcpState::kCloseWait)], 0U);
  });
}

struct Backend {
  const char* name;
  std::vector<std::string> restore;
  std::string (*rules)(std::size_t);
  std::size_t invalid_drops;  // on forward and on output; kube-proxy's own rule for loopback addresses is one, too
};

class KubeRulesTest : public testing::TestWithParam<Backend> {};

TEST_P(KubeRulesTest, LoadsAndDropsInvalid) {
  const lab::Namespace alone;
  const auto output = alone.Command(GetParam().restore, GetParam().rules(kRules));
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const auto sample = lab::Collect<sources::FirewallSample, sources::FirewallCollector>(alone);
  EXPECT_EQ(sample.invalid_drops.size(), GetParam().invalid_drops);
}

INSTANTIATE_TEST_SUITE_P(, KubeRulesTest,
                         testing::Values(Backend{"legacy", {"iptables-legacy-restore"}, &KubeProxyIptables, 3},
                                         Backend{"iptables_nft", {"iptables-nft-restore"}, &KubeProxyIptables, 3},
                                         Backend{"native", {"nft", "-f", "-"}, &KubeProxyNft, 2}),
                         [](const auto& backend) { return std::string(backend.param.name); });

}  // namespace
}  // namespace finwait::bench
