#include "collectors/firewall/eval/packet_traversal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/recording/case.h"
#include "tests/recording/closed_connections.h"
#include "tests/recording/rules_record.h"

// Recorded connections, evaluated from recorded rules: held against what the kernel did to their packets.
namespace finwait::firewall::eval {
namespace {

using recording::Case;
using recording::ClosedConnections;

// How many packets were held against the kernel.
std::size_t Evaluated(const Case& one, const std::string& file, bool all_known) {
  SCOPED_TRACE(one.Folder().string() + " " + file);
  auto source = recording::RuleSource::Replayed(recording::KernelRecording::Parse(one.Require(recording::kKernelFile)));
  const auto ruleset = source.Read();
  auto connections = ClosedConnections::Parse(one.Require(file));
  std::size_t seen = 0;
  for (const auto& packet : EvaluateAll(connections, *ruleset, source.Facts())) {
    EXPECT_FALSE(packet.IsWrong()) << packet.Describe();
    EXPECT_FALSE(all_known && packet.disposition == Disposition::kUnknown) << packet.Describe();
    seen += packet.passed ? 1 : 0;
  }
  return seen;
}

TEST(PacketTraversalTest, EachRecordedPacketFaresAsTheKernelShowed) {
  for (const Case& one : recording::CasesOf("traversal")) {
    // Eight connections, each closed, reset, sent on and closed by its peer.
    EXPECT_GE(Evaluated(one, recording::kConnectionsFile, true), 32U) << one.Name();
  }
}

TEST(PacketTraversalTest, RulesOfRealSoftwareAreEvaluatedAsTheKernelRanThem) {
  std::size_t packets = 0;
  for (const Case& one : recording::CasesOf("real")) {
    for (const auto& file : std::filesystem::directory_iterator(one.Folder() / "closes")) {
      if (file.path().extension() == ".json") {
        packets += Evaluated(one, "closes/" + file.path().filename().string(), false);
      }
    }
  }
  // Of 33 closes; the FINs that nat no longer translates do not show at the sockets.
  EXPECT_GE(packets, 30U);
}

}  // namespace
}  // namespace finwait::firewall::eval
