#include "exporter/diagnosis/diagnostician.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using std::chrono::seconds;

class DiagnosticianTest : public testing::Test {
 protected:
  std::shared_ptr<const Diagnosis> Collect() {
    return diagnostician_.Diagnose(host_.Get(), host_.Now(),
                                   scheduling::WallClock::time_point(host_.Now().time_since_epoch()));
  }
  void Track(const std::vector<kernel::TcpSocket>& sockets) {
    sources::TrackingSample sample;
    sample.sockets = kernel::SocketTable(sockets);
    host_.Set(sample);
  }
  void Close(std::vector<kernel::TcpSocket> closing) {
    sources::SocketsSample sample;
    sample.closing = std::move(closing);
    host_.Set(sample);
  }
  void AbortsFailed(std::uint64_t number) {
    sources::NetstatSample sample;
    sample.abort_failed = number;
    host_.Set(sample);
  }
  static std::uint64_t Proven(const Diagnosis& diagnosis) {
    return diagnosis.stuck->total[0][static_cast<std::size_t>(Cause::kLocalDrop)];
  }
  // An idle connection whose entry timed out, then its close: what each look sees.
  void SeeAnIdleConnection() {
    Track({OpenSocket(1)});
    Collect();
    host_.Advance(seconds(5));
    Track({ForgottenSocket(1)});
  }

  SnapshotBuilder host_ = SnapshotBuilder(DropsAt({Hook::kOutput}));
  Diagnostician diagnostician_;
};

TEST_F(DiagnosticianTest, TheStageFollowsAConnectionFromLatentToFailing) {
  Track({OpenSocket(1)});
  EXPECT_EQ(Collect()->risk.stage, Stage::kLatent);
  host_.Advance(seconds(5));
  Track({ForgottenSocket(1)});
  const auto exposed = Collect();
  EXPECT_EQ(exposed->risk.stage, Stage::kExposed);
  EXPECT_EQ(exposed->live->sockets.front().history.entry_end, ExpiryReason::kTimedOut);
  host_.Advance(seconds(5));
  Track({ForgottenSocket(1, kernel::TcpState::kFinWait1)});
  Close({StuckClosing(1)});
  const auto failing = Collect();
  EXPECT_EQ(failing->risk.stage, Stage::kFailing);
  const StuckSocket& stuck = failing->stuck->sockets.front();
  EXPECT_EQ(stuck.cause, Cause::kLocalDrop);
  EXPECT_EQ(stuck.site->rule.chain, "OUTPUT");
  EXPECT_EQ(stuck.history.entry_end, ExpiryReason::kTimedOut);
  EXPECT_EQ(stuck.history.keepalive, false);
}

TEST_F(DiagnosticianTest, FailingHoldsForFiveMinutesAfterTheLastStuckSocketHasGone) {
  SeeAnIdleConnection();
  Track({ForgottenSocket(1, kernel::TcpState::kFinWait1)});
  Close({StuckClosing(1)});
  Collect();
  host_.Advance(seconds(5));
  Close({});
  Track({});
  const auto gone = Collect();
  EXPECT_EQ(gone->risk.stage, Stage::kFailing);
  EXPECT_EQ(Proven(*gone), 1U) << "counted although one look only saw it stuck";
  host_.Advance(seconds(299));
  EXPECT_EQ(Collect()->risk.stage, Stage::kFailing);
  host_.Advance(seconds(302));
  EXPECT_EQ(Collect()->risk.stage, Stage::kLatent);
}

TEST_F(DiagnosticianTest, AStuckSocketNeedsNoSampleOfAllSocketsSinceItClosed) {
  SeeAnIdleConnection();
  Close({StuckClosing(1)});
  const auto failing = Collect();
  EXPECT_EQ(failing->stuck->sockets.front().cause, Cause::kLocalDrop);
  EXPECT_EQ(failing->risk.stage, Stage::kFailing);
}

TEST_F(DiagnosticianTest, ATrackedFinIsRememberedBetweenSamplesOfAllSockets) {
  Track({OpenSocket(1)});
  Collect();
  kernel::TcpSocket socket = OpenSocket(1);
  socket.state = kernel::TcpState::kFinWait1;
  socket.timer = kernel::SocketTimer::kRetransmit;
  socket.tries = 2;
  Close({socket});
  EXPECT_EQ(Collect()->stuck->sockets.front().cause, Cause::kNoReply) << "its FIN has an entry";
  host_.Advance(seconds(5));
  ++socket.tries;
  socket.entry = {};
  socket.entry.tracking = kernel::Tracking::kUntracked;
  Close({socket});
  EXPECT_EQ(Collect()->stuck->sockets.front().cause, Cause::kNoReply) << "its FIN had one";
}

TEST_F(DiagnosticianTest, AStuckSocketWhoseCauseIsBlindMakesTheStageUnknown) {
  Track({});
  kernel::TcpSocket socket = StuckClosing(1);
  socket.entry.tracking = kernel::Tracking::kUnknown;
  Close({socket});
  host_.Fail<sources::TrackingSample>("conntrack may not be read");
  const auto diagnosis = Collect();
  EXPECT_FALSE(diagnosis->risk.stage.has_value());
  EXPECT_EQ(diagnosis->stuck->undetermined[0], 1U);
}

TEST_F(DiagnosticianTest, SocketsTellTheirSilenceWhereEntriesCannotBeRead) {
  host_.Fail<sources::TrackingSample>("conntrack may not be read");
  EXPECT_FALSE(Collect()->idle.has_value());
  kernel::TcpSocket socket = OpenSocket(1);
  socket.entry = {};
  socket.idle = seconds(100);
  sources::SocketsSample sample;
  sample.unfinished = kernel::SocketTable({socket});
  sample.lists_unfinished = true;
  host_.Set(sample);
  const auto diagnosis = Collect();
  ASSERT_TRUE(diagnosis->idle.has_value());
  EXPECT_EQ(diagnosis->idle->outlived[0], 1U);
  EXPECT_FALSE(diagnosis->live.has_value()) << "who would stick is not told";
  host_.Set(sources::SocketsSample());
  EXPECT_TRUE(Collect()->idle.has_value()) << "until they are listed again";
  host_.Fail<sources::SocketsSample>("gone");
  EXPECT_FALSE(Collect()->idle.has_value());
}

TEST_F(DiagnosticianTest, WhatTheTimeoutsCompleteDoesNotWaitForItsTurn) {
  host_.Fail<sources::SysctlSample>("not read yet");
  Track({OpenSocket(1)});
  EXPECT_FALSE(Collect()->live->expiring.has_value());
  host_.Set(sources::SysctlSample());
  EXPECT_TRUE(Collect()->live->expiring.has_value()) << "or the first scrape lacks it";
}

TEST_F(DiagnosticianTest, WithoutTheRulesItCannotTellAndAProvenFailureStays) {
  host_.Fail<sources::FirewallSample>("rules may not be read");
  EXPECT_FALSE(Collect()->risk.stage.has_value());
  sources::FirewallSample firewall;
  firewall.ruleset = DropsAt({Hook::kOutput});
  host_.Set(firewall);
  SeeAnIdleConnection();
  Track({ForgottenSocket(1, kernel::TcpState::kFinWait1)});
  Close({StuckClosing(1)});
  EXPECT_EQ(Collect()->risk.stage, Stage::kFailing);
  host_.Advance(seconds(5));
  host_.Fail<sources::FirewallSample>("rules may not be read");
  EXPECT_EQ(Collect()->risk.stage, Stage::kFailing);
}

TEST_F(DiagnosticianTest, ARuleThatIsOpenedTellsNothingOfTheTryThatItDropped) {
  SeeAnIdleConnection();
  Track({ForgottenSocket(1, kernel::TcpState::kFinWait1)});
  kernel::TcpSocket socket = StuckClosing(1);
  for (int i = 0; i < 2; ++i) {
    Close({socket});
    EXPECT_EQ(Collect()->stuck->sockets.front().cause, Cause::kLocalDrop);
    host_.Advance(seconds(5));
  }
  sources::FirewallSample opened;
  opened.ruleset = DropsAt({});
  host_.Set(opened);
  Close({socket});
  EXPECT_EQ(Collect()->stuck->sockets.front().cause, Cause::kLocalDrop);
  host_.Advance(seconds(5));
  ++socket.tries;
  Close({socket});
  EXPECT_EQ(Collect()->stuck->sockets.front().cause, Cause::kLocalError) << "this try no rule has dropped";
}

TEST_F(DiagnosticianTest, AFailedResetIsEvidenceOnlyWhereThisHostDropsItsResets) {
  AbortsFailed(7);
  EXPECT_EQ(Collect()->resets_lost, 0U) << "what was counted before proves nothing";
  host_.Advance(seconds(5));
  AbortsFailed(9);
  const auto lost = Collect();
  EXPECT_EQ(lost->resets_lost, 2U);
  EXPECT_EQ(lost->risk.stage, Stage::kFailing);
  EXPECT_EQ(Collect()->resets_lost, 2U) << "the same sample is not counted twice";

  SnapshotBuilder open_host(DropsAt({}));
  Diagnostician other;
  const auto look = [&](std::uint64_t failed) {
    sources::NetstatSample sample;
    sample.abort_failed = failed;
    open_host.Set(sample);
    open_host.Advance(seconds(5));
    return other.Diagnose(open_host.Get(), open_host.Now(), scheduling::WallClock::now());
  };
  look(7);
  const auto harmless = look(9);
  EXPECT_EQ(harmless->resets_lost, 0U);
  EXPECT_EQ(harmless->risk.stage, Stage::kNone);
}

TEST_F(DiagnosticianTest, CountersOfRulesAloneChangeNothingButThemselves) {
  sources::FirewallSample firewall;
  firewall.ruleset = DropsAt({Hook::kOutput});
  firewall::analysis::InvalidDropRule rule;
  rule.location = {
      firewall::Backend::kNft, firewall::Dialect::kIptables, firewall::TableFamily::kIpv4, "filter", "OUTPUT", 3, {}};
  rule.families = {IpFamily::kIpv4};
  rule.hooks = {Hook::kOutput};
  rule.drops = firewall::Counter{0, 0};
  rule.identity = "3";
  firewall.invalid_drops = {rule};
  host_.Set(firewall);
  const auto before = Collect();
  firewall.invalid_drops[0].drops->packets = 50'000;
  host_.Advance(seconds(5));
  host_.Set(firewall);
  const auto after = Collect();
  EXPECT_EQ(after->firewall->invalid_drops[0][static_cast<std::size_t>(Hook::kOutput)], 50'000U);
  EXPECT_EQ(after->risk.stage, Stage::kLatent);
  EXPECT_EQ(after->risk.score, before->risk.score);
}

TEST_F(DiagnosticianTest, EachStuckSocketIsCountedOnceHoweverManySamplesShowIt) {
  SeeAnIdleConnection();
  Track({ForgottenSocket(1, kernel::TcpState::kFinWait1), ForgottenSocket(2, kernel::TcpState::kFinWait1)});
  for (int i = 0; i < 5; ++i) {
    Close({StuckClosing(1)});
    host_.Advance(seconds(5));
    EXPECT_LE(Proven(*Collect()), 1U);
  }
  EXPECT_EQ(Proven(*Collect()), 1U);
}

TEST_F(DiagnosticianTest, TheLostNatOfAStuckSocketIsRemembered) {
  SnapshotBuilder nat(DropsAt({}));
  kernel::TcpSocket translated = OpenSocket(1);
  translated.entry.destination_nat = true;
  translated.entry.translation = std::make_shared<const kernel::Translation>(
      kernel::Translation{*Endpoint::Parse("192.0.2.1:40001"), *Endpoint::Parse("198.51.100.7:8080")});
  const auto look = [&](kernel::TcpSocket socket) {
    sources::TrackingSample sample;
    sample.sockets = {std::move(socket)};
    nat.Set(sample);
    nat.Advance(seconds(5));
    return diagnostician_.Diagnose(nat.Get(), nat.Now(), scheduling::WallClock::now());
  };
  EXPECT_EQ(look(translated)->risk.stage, Stage::kLatent);
  EXPECT_EQ(look(ForgottenSocket(1))->risk.stage, Stage::kExposed);
  sources::SocketsSample sockets;
  sockets.closing = {StuckClosing(1)};
  sockets.closing[0].timer = kernel::SocketTimer::kRetransmit;
  sockets.closing[0].unsent = 0;
  nat.Set(sockets);
  const auto failing = look(ForgottenSocket(1, kernel::TcpState::kFinWait1));
  EXPECT_EQ(failing->risk.stage, Stage::kFailing);
  EXPECT_EQ(failing->stuck->sockets.front().cause, Cause::kNatLost);
  EXPECT_EQ(failing->stuck->sockets.front().history.translation->peer.Text(), "198.51.100.7:8080");
}

TEST_F(DiagnosticianTest, TellsWhenAListOfManySocketsHasBeenReplaced) {
  std::vector<kernel::TcpSocket> many;
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    many.push_back(OpenSocket(i));
  }
  const auto look_frees_much = [&](const std::vector<kernel::TcpSocket>& sockets) {
    Track(sockets);
    Collect();
    return diagnostician_.PruneUnused(SteadyClock::now());
  };
  (void)look_frees_much({OpenSocket(1)});  // the rules that the first evaluation read
  EXPECT_FALSE(look_frees_much({OpenSocket(1)}));
  EXPECT_TRUE(look_frees_much(many));
  EXPECT_FALSE(diagnostician_.PruneUnused(SteadyClock::now())) << "nothing is new";
  EXPECT_TRUE(look_frees_much({OpenSocket(1)})) << "the many are gone";
  EXPECT_FALSE(look_frees_much({OpenSocket(1)}));
}

TEST_F(DiagnosticianTest, RulesThatChangeAllTheTimeAreEvaluatedAsTheBudgetAllows) {
  constexpr double kBudget = 1e-9;  // of a core: anything takes hours
  EvaluationPace pace;
  pace.rules = Pacer(std::chrono::milliseconds(1), kBudget);
  Diagnostician paced({}, pace);
  const auto fin = [&](std::shared_ptr<const firewall::Ruleset> rules) {
    sources::FirewallSample firewall;
    firewall.ruleset = std::move(rules);
    host_.Set(firewall);
    return (*paced.Diagnose(host_.Get(), host_.Now(), scheduling::WallClock::now())->paths)[0][Index(PathPacket::kFin)];
  };
  EXPECT_EQ(fin(DropsAt({Hook::kOutput})), firewall::eval::Disposition::kDrop) << "the first ones are judged at once";
  host_.Advance(seconds(5));
  EXPECT_EQ(fin(DropsAt({})), firewall::eval::Disposition::kDrop) << "it is not yet their turn";
  host_.Advance(std::chrono::hours(25));
  EXPECT_EQ(fin(DropsAt({})), firewall::eval::Disposition::kAccept);
}

}  // namespace
}  // namespace finwait::diagnosis
