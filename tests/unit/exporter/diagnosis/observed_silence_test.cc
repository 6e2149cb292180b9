#include "exporter/diagnosis/observed_silence.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using std::chrono::seconds;

class ObservedSilenceTest : public testing::Test {
 protected:
  ObservedSilenceTest() {
    Set(sources::ConntrackTcpTimeout::kEstablished, 86'400);
    Set(sources::ConntrackTcpTimeout::kUnacknowledged, 300);
  }
  void Set(sources::ConntrackTcpTimeout which, int timeout) {
    sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(which)] = seconds(timeout);
  }
  std::optional<seconds> Of(std::uint32_t remaining, std::optional<seconds> at_most = std::nullopt) const {
    kernel::TcpSocket socket = OpenSocket(1);
    socket.entry.remaining_seconds = remaining;
    return SilenceByEntry(socket, at_most, sysctl_, flowtables_);
  }
  sources::SysctlSample sysctl_;
  bool flowtables_ = false;
};

TEST_F(ObservedSilenceTest, IsWhatTheEntryHasLost) {
  EXPECT_EQ(Of(86'399), seconds(0));
  EXPECT_EQ(Of(86'000), seconds(399));
}

TEST_F(ObservedSilenceTest, IsByTheEntrysOwnTimeoutWhereSamplesShowedIt) {
  EXPECT_EQ(Of(70, seconds(100)), seconds(29));
  EXPECT_EQ(Of(86'000, seconds(86'500)), seconds(399)) << "the sysctl's may be";
}

TEST_F(ObservedSilenceTest, IsUnknownWhereDataMayBeUnderWay) {
  EXPECT_EQ(Of(299), std::nullopt);
  Set(sources::ConntrackTcpTimeout::kEstablished, 200);
  EXPECT_EQ(Of(100), seconds(99)) << "then the shorter one is not in force";
}

// From Linux 6.14 on an entry that comes out of a flowtable has a day left, whatever its state's timeout.
TEST_F(ObservedSilenceTest, IsUnknownWhereTheEntryMayComeFromAFlowtable) {
  Set(sources::ConntrackTcpTimeout::kEstablished, 432'000);
  EXPECT_EQ(Of(86'365), seconds(345'634));
  flowtables_ = true;
  EXPECT_EQ(Of(86'365), std::nullopt);
  EXPECT_EQ(Of(86'365, seconds(86'400)), seconds(34)) << "samples showed what it was given";
  EXPECT_EQ(Of(431'000), seconds(999)) << "more than a day remains";
  Set(sources::ConntrackTcpTimeout::kEstablished, 86'400);
  EXPECT_EQ(Of(86'000), seconds(399)) << "a day is its state's timeout, too";
}

TEST_F(ObservedSilenceTest, IsUnknownWithoutAnEntryOrItsTimeout) {
  EXPECT_EQ(Of(90'000), std::nullopt) << "given under another setting";
  EXPECT_EQ(SilenceByEntry(ForgottenSocket(1), std::nullopt, sysctl_, false), std::nullopt);
  sysctl_ = {};
  EXPECT_EQ(Of(100), std::nullopt);
}

}  // namespace
}  // namespace finwait::diagnosis
