#include "exporter/diagnosis/live.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LiveTest : public testing::Test {
 protected:
  LiveTest() {
    for (auto& timeout : sysctl_.conntrack_tcp_timeouts) {
      timeout = seconds(100);
    }
  }
  kernel::TcpSocket& Add(kernel::TcpState state = kernel::TcpState::kEstablished) {
    kernel::TcpSocket& socket = sockets_.emplace_back();
    socket.cookie = sockets_.size();
    socket.local = *Endpoint::Parse("192.0.2.1:" + std::to_string(40000 + socket.cookie));
    socket.peer = *Endpoint::Parse("192.0.2.2:80");
    socket.state = state;
    socket.entry.tracking = kernel::Tracking::kUntracked;
    return socket;
  }
  kernel::TcpSocket& AddTracked(std::uint32_t remaining) {
    kernel::TcpSocket& socket = Add();
    socket.entry.tracking = kernel::Tracking::kTracked;
    socket.entry.state = kernel::ConntrackTcpState::kEstablished;
    socket.entry.remaining_seconds = remaining;
    return socket;
  }
  void AddTrackedWithKeepalive(std::uint32_t remaining, std::chrono::milliseconds due) {
    kernel::TcpSocket& socket = AddTracked(remaining);
    socket.timer = kernel::SocketTimer::kKeepalive;
    socket.timer_expires = due;
  }
  static sources::TrackingSample SampleOf(const std::vector<kernel::TcpSocket>& sockets) {
    sources::TrackingSample sample;
    sample.sockets = kernel::SocketTable(sockets);
    return sample;
  }
  // All seen with their entries by an earlier look, so that NAT is known.
  LiveSummary Sum(std::shared_ptr<const firewall::Ruleset> rules, PerFamily<bool> active = {true, true},
                  const LiveEffort& effort = {}) {
    std::vector<kernel::TcpSocket> earlier = sockets_;
    for (kernel::TcpSocket& socket : earlier) {
      // Five seconds before, and without a packet since: else its timeout could not be more than what remains and that.
      const bool still_there = socket.entry.tracking == kernel::Tracking::kTracked;
      socket.entry.tracking = kernel::Tracking::kTracked;
      socket.entry.state = kernel::ConntrackTcpState::kEstablished;
      socket.entry.remaining_seconds = still_there ? socket.entry.remaining_seconds + 5 : 1;
    }
    memory_.Update(kernel::SocketTable(earlier), SteadyClock::time_point());
    memory_.Update(kernel::SocketTable(sockets_), SteadyClock::time_point(seconds(5)));
    CloseEvaluator evaluator(std::move(rules), {true, active}, {});
    return SumUpLive(SampleOf(sockets_), memory_, evaluator, &sysctl_, active, effort);
  }
  std::vector<kernel::TcpSocket> sockets_;
  ConnectionHistories memory_;
  sources::SysctlSample sysctl_;
};

TEST_F(LiveTest, AnUntrackedSocketIsAtRiskByWhatTheRulesDoToItsClose) {
  Add();
  Add(kernel::TcpState::kCloseWait);
  const LiveSummary out = Sum(DropsAt({Hook::kOutput}));
  EXPECT_EQ(out.untracked_established, 1U);
  EXPECT_EQ(out.untracked_close_wait, 1U);
  EXPECT_EQ(out.AtRisk(Fate::kFinDropped), 2U);
  EXPECT_EQ(out.WouldStick(), 2U);
  EXPECT_EQ(out.would_stick_close_wait, 1U);
  EXPECT_EQ(Sum(DropsAt({Hook::kInput})).AtRisk(Fate::kAckDropped), 2U);
  EXPECT_EQ(Sum(DropsAt({})).WouldStick(), 0U) << "untracked, and closes all the same";
}

TEST_F(LiveTest, EachSocketAtRiskIsListedWithTheRuleAndWhatBecameOfItsEntry) {
  Add();
  const LiveSummary live = Sum(DropsAt({Hook::kOutput}));
  ASSERT_EQ(live.sockets.size(), 1U);
  ASSERT_TRUE(live.sockets[0].site.has_value());
  EXPECT_EQ(live.sockets[0].site->rule.chain, "OUTPUT");
  EXPECT_TRUE(live.sockets[0].site->rule.dialect == firewall::Dialect::kIptables);
  EXPECT_EQ(live.sockets[0].history.entry_end, ExpiryReason::kTimedOut);
  EXPECT_EQ(live.ends.timed_out[0], 1U);
}

TEST_F(LiveTest, ASocketThatIsClosingIsNeverCalledUntracked) {
  Add(kernel::TcpState::kFinWait1);
  Add(kernel::TcpState::kLastAck);
  Add(kernel::TcpState::kClosing);
  const LiveSummary live = Sum(DropsAt({Hook::kOutput}));
  EXPECT_EQ(live.open, 0U);
  EXPECT_EQ(live.untracked_established + live.untracked_close_wait, 0U);
  EXPECT_EQ(live.WouldStick(), 0U);
}

TEST_F(LiveTest, WhereConntrackIsNotActiveNoEntryIsNoRisk) {
  Add();
  const LiveSummary live = Sum(DropsAt({}), {false, true});
  EXPECT_EQ(live.open, 1U);
  EXPECT_EQ(live.untracked_established, 0U);
  EXPECT_EQ(live.WouldStick(), 0U);
}

TEST_F(LiveTest, WithoutConntrackRulesStillDropFins) {
  Add();
  AddTracked(10);
  const LiveSummary summary = Sum(DropsAt({Hook::kOutput}), {false, false});
  EXPECT_EQ(summary.at_risk[0], 2U);
  EXPECT_EQ(summary.at_risk_with_entry[0], 2U) << "which an entry would not change";
  EXPECT_EQ(summary.untracked_established, 0U);
  EXPECT_EQ(summary.expiring, 0U);
  ASSERT_FALSE(summary.sockets.empty());
  EXPECT_TRUE(summary.sockets[0].with_entry);
}

TEST_F(LiveTest, ASocketExpiresWithLessThanHalfOfItsTimeoutLeft) {
  AddTracked(50);
  EXPECT_EQ(Sum(DropsAt({Hook::kOutput})).expiring, 0U);
  AddTracked(49);
  EXPECT_EQ(Sum(DropsAt({Hook::kOutput})).expiring, 1U);
  AddTrackedWithKeepalive(40, milliseconds(39'999));
  EXPECT_EQ(Sum(DropsAt({Hook::kOutput})).expiring, 1U) << "the keepalive comes in time";
  AddTrackedWithKeepalive(40, milliseconds(40'001));
  EXPECT_EQ(Sum(DropsAt({Hook::kOutput})).expiring, 2U);
}

TEST_F(LiveTest, ATrackedSocketTellsThatADropPathExists) {
  AddTracked(90);
  const LiveSummary live = Sum(DropsStateAt(Hook::kOutput, kStateInvalid));
  EXPECT_TRUE(live.any_would_stick);
  EXPECT_EQ(live.WouldStick(), 0U);
}

TEST_F(LiveTest, WhatCannotBeKnownIsCountedAsUnknownAndNotAsARisk) {
  Add();
  const LiveSummary live = Sum(UnreadableRules());
  EXPECT_EQ(live.AtRisk(Fate::kUnknown), 1U);
  EXPECT_EQ(live.WouldStick(), 0U);
  ASSERT_EQ(live.sockets.size(), 1U);
  EXPECT_NE(live.sockets[0].reason, "");
}

TEST_F(LiveTest, WhereADropPathIsKnownTrackedSocketsAreNotEvaluated) {
  AddTracked(90);
  LiveEffort effort;
  effort.drop_path_known = true;
  effort.evaluation = std::chrono::nanoseconds(0);
  const LiveSummary live = Sum(DropsAt({Hook::kOutput}), {true, true}, effort);
  EXPECT_EQ(live.unevaluated, 0U);
  EXPECT_FALSE(live.any_unknown);
  EXPECT_EQ(live.open, 1U);
}

TEST_F(LiveTest, ATranslatedTrackedSocketWouldStickWhateverTheRulesSay) {
  kernel::TcpSocket& socket = AddTracked(90);
  socket.entry.destination_nat = true;
  LiveEffort effort;
  effort.evaluation = std::chrono::nanoseconds(0);
  const LiveSummary live = Sum(DropsAt({}), {true, true}, effort);
  EXPECT_EQ(live.translated, 1U);
  EXPECT_TRUE(live.any_would_stick);
  EXPECT_EQ(live.unevaluated, 0U);
}

TEST_F(LiveTest, WhatThereIsNoTimeToEvaluateIsUnknownAndSaysWhy) {
  Add();
  Add();
  LiveEffort effort;
  effort.evaluation = std::chrono::nanoseconds(0);
  const LiveSummary live = Sum(DropsAt({Hook::kOutput}), {true, true}, effort);
  EXPECT_EQ(live.unevaluated, 2U);
  EXPECT_EQ(live.AtRisk(Fate::kUnknown), 2U);
  EXPECT_TRUE(live.any_unknown);
  ASSERT_EQ(live.sockets.size(), 2U);
  EXPECT_NE(live.sockets[0].reason.find("--sampling.cpu-budget"), std::string::npos);
}

TEST_F(LiveTest, AllAreCountedAndAHundredListed) {
  for (int i = 0; i < 250; ++i) {
    Add();
  }
  const LiveSummary live = Sum(DropsAt({Hook::kOutput}));
  EXPECT_EQ(live.AtRisk(Fate::kFinDropped), 250U);
  EXPECT_EQ(live.sockets.size(), LiveSummary::kMostListed);
}

TEST_F(LiveTest, EachRuleHasASocketThatStandsForAllThatItWouldLose) {
  for (int i = 0; i < 250; ++i) {
    Add();
  }
  for (int i = 0; i < 3; ++i) {
    kernel::TcpSocket& socket = Add();
    socket.local = *Endpoint::Parse("[2001:db8::1]:" + std::to_string(40000 + socket.cookie));
    socket.peer = *Endpoint::Parse("[2001:db8::2]:80");
  }
  AddTracked(90);
  const LiveSummary live = Sum(DropsAt({Hook::kOutput}));
  EXPECT_TRUE(live.each_stood_for);
  ASSERT_EQ(live.sockets.size(), LiveSummary::kMostListed);
  EXPECT_EQ(live.sockets[0].stands_for, 250U);
  EXPECT_EQ(live.sockets[0].site->rule.family, firewall::TableFamily::kIpv4);
  EXPECT_EQ(live.sockets[1].stands_for, 3U);
  EXPECT_EQ(live.sockets[1].site->rule.family, firewall::TableFamily::kIpv6);
  EXPECT_EQ(live.sockets[2].stands_for, 0U);
}

TEST_F(LiveTest, WithoutTheTimeoutsNothingIsSaidOfExpiry) {
  AddTracked(1);
  CloseEvaluator evaluator(DropsAt({}), {true, {true, true}}, {});
  EXPECT_FALSE(SumUpLive(SampleOf(sockets_), memory_, evaluator, nullptr, {true, true}, {}).expiring.has_value());
}

TEST_F(LiveTest, AnEntryUnderAPolicyExpiresByItsOwnTimeout) {
  for (auto& timeout : sysctl_.conntrack_tcp_timeouts) {
    timeout = seconds(432'000);
  }
  AddTracked(99).idle = seconds(1);
  const auto look = [&] {
    memory_.Update(kernel::SocketTable(sockets_), SteadyClock::time_point(seconds(1000)));
    CloseEvaluator evaluator(DropsStateAt(Hook::kOutput, kStateInvalid), {true, {true, true}}, {});
    return SumUpLive(SampleOf(sockets_), memory_, evaluator, &sysctl_, {true, true}, {});
  };
  const LiveSummary fresh = look();
  EXPECT_EQ(fresh.expiring, 0U);
  EXPECT_EQ(fresh.own_timeouts.entries, 1U);
  EXPECT_EQ(fresh.own_timeouts.shortest, seconds(100));
  EXPECT_EQ(fresh.sysctl_timeouts, 0U);
  sockets_.front().entry.remaining_seconds = 30;
  sockets_.front().idle = seconds(70);
  EXPECT_EQ(look().expiring, 1U);
}

TEST_F(LiveTest, ASocketWithItsEntryIsAtRiskWhereRulesDropAllFins) {
  AddTracked(90);
  const LiveSummary live = Sum(DropsFlagAt(Hook::kOutput, kFlagFin));
  EXPECT_EQ(live.AtRisk(Fate::kFinDropped), 1U);
  EXPECT_EQ(live.at_risk_with_entry[0], 1U);
  EXPECT_EQ(live.WouldStick(), 1U);
  EXPECT_EQ(live.untracked_established, 0U);
  ASSERT_EQ(live.sockets.size(), 1U);
  EXPECT_TRUE(live.sockets[0].with_entry);
  ASSERT_TRUE(live.sockets[0].site.has_value());
  EXPECT_EQ(live.sockets[0].site->rule.handle, 1U);
  EXPECT_EQ(live.sockets[0].history.entry_end, ExpiryReason::kStillThere);
  EXPECT_EQ(Sum(DropsFlagAt(Hook::kInput, kFlagFin)).AtRisk(Fate::kPeerFinDropped), 1U);
}

}  // namespace
}  // namespace finwait::diagnosis
