#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/kernel/collectors/firewall/eval/closing_trial.h"
#include "tests/recording/case.h"
#include "tests/recording/rules_record.h"

// Each folder of tests/cases/traversal is a ruleset under which connections are closed.
namespace finwait::firewall::eval {
namespace {

using Decision = Disposition;
using recording::Case;
using recording::ClosedConnections;

std::vector<TrialConnection> Connections() {
  std::vector<TrialConnection> all;
  for (const IpFamily family : kIpFamilies) {
    all.push_back({family, false, false, 80, 0, 0});
    all.push_back({family, false, false, 443, 1, 1});
    all.push_back({family, false, true, 22, 0, 1});
    all.push_back({family, true, false, 443, 0, 0});
  }
  return all;
}

// What is evaluated from the case's folder, for `connections`; empty where the folder does not tell.
std::string EvaluatedFrom(const Case& each, ClosedConnections connections) {
  std::string text;
  try {
    auto source = recording::RuleSource::Replayed(
        recording::KernelRecording::Parse(each.Read(recording::kKernelFile).value_or("")));
    for (const auto& packet : EvaluateAll(connections, *source.Read(), source.Facts())) {
      text += packet.Describe() + "\n";
    }
  } catch (const std::exception&) {
    return "";
  }
  return text;
}

// Each in a namespace of its own: a table of iptables-legacy stays there once it was made.
class PacketTraversalTest : public testing::TestWithParam<Case> {
 protected:
  ClosingTrial trial_;
};

TEST_P(PacketTraversalTest, IsEvaluatedAsTheKernelDoesIt) {
  const Case& each = GetParam();
  std::optional<recording::RulesRecord> record;
  std::string evaluated;
  trial_.SetTcpLoose(true);
  trial_.BeforeClosing([&](ClosedConnections& connections) {
    for (const auto& packet : EvaluateAll(connections, record->GetRuleset(), record->Facts())) {
      evaluated += packet.Describe() + "\n";
    }
  });
  const auto packets =
      trial_.Run(Connections(), {TrialRole::kClose, TrialRole::kReset, TrialRole::kSend, TrialRole::kPeerClose},
                 [&](const lab::Namespace& local) {
                   local.Shell(each.LoadScript());
                   record.emplace(local);
                 });
  for (const TrialPacket& packet : packets) {
    EXPECT_FALSE(packet.IsWrong()) << packet.Describe();
    EXPECT_NE(packet.verdict.disposition, Disposition::kUnknown) << packet.Describe();
    EXPECT_TRUE(packet.passed || packet.kind == PacketKind::kAck) << packet.Describe();
  }
  ClosedConnections connections = trial_.LastConnections();
  if (recording::IsRecording() && !HasFailure()) {
    ClosedConnections not_closed = connections;
    for (auto& one : not_closed.all) {
      for (auto& [kind, passed] : one.passed) {
        passed.reset();
      }
    }
    record->Write(each, EvaluatedFrom(each, not_closed) != evaluated);
    connections.WriteIfChanged(each);
  } else {
    EXPECT_EQ(record->HasRecordedTools() ? record->Compare(each) : "", "");
    EXPECT_EQ(OutcomesOf(connections), OutcomesOf(ClosedConnections::Parse(each.Require(recording::kConnectionsFile))));
  }
}

// The FIN has left while the process still held the socket.
TEST(PeersResetTest, FindsASocketThatNoProcessHoldsAnyMore) {
  ClosingTrial trial;
  trial.SetTcpLoose(true);
  std::vector<TrialConnection> connections = Connections();
  std::erase_if(connections, [](const TrialConnection& each) { return each.loopback; });
  const auto packets = trial.Run(connections, {TrialRole::kPeerGone}, [](const lab::Namespace& local) {
    local.Shell("nft 'table inet t { chain c { type filter hook input priority 0; meta skuid 0 drop; }; }'");
  });
  std::size_t resets = 0;
  for (const TrialPacket& packet : packets) {
    EXPECT_FALSE(packet.IsWrong()) << packet.Describe();
    if (packet.resets) {
      ++resets;
      EXPECT_EQ(packet.verdict.disposition, Disposition::kAccept) << packet.Describe();
      EXPECT_EQ(packet.passed, true) << packet.Describe();
    }
  }
  EXPECT_EQ(resets, connections.size());
}

// Peers are in this machine: the first reset mostly finds a socket whose close() has not come to its end.
TEST(PeersResetTest, IsUnknownWhereOnlyASocketThatIsStillHeldGetsIt) {
  ClosingTrial trial;
  trial.SetTcpLoose(true);
  std::vector<TrialConnection> connections = Connections();
  std::erase_if(connections, [](const TrialConnection& each) { return each.loopback; });
  const auto packets = trial.Run(connections, {TrialRole::kPeerGone}, [](const lab::Namespace& local) {
    local.Shell(
        "nft 'table inet t { chain c { type filter hook input priority 0; policy drop;"
        " meta l4proto ipv6-icmp accept; meta skuid 0 accept; tcp flags & rst == 0 accept; }; }'");
  });
  std::size_t unknown = 0;
  for (const TrialPacket& packet : packets) {
    EXPECT_FALSE(packet.IsWrong()) << packet.Describe();
    if (packet.resets) {
      EXPECT_EQ(packet.verdict.disposition, Disposition::kUnknown) << packet.Describe();
      EXPECT_THAT(packet.verdict.reason, testing::HasSubstr("close()"));
      ++unknown;
    }
  }
  EXPECT_EQ(unknown, connections.size());
}

INSTANTIATE_TEST_SUITE_P(Rulesets, PacketTraversalTest, testing::ValuesIn(recording::CasesOf("traversal")),
                         [](const auto& each) { return each.param.Name(); });

}  // namespace
}  // namespace finwait::firewall::eval
