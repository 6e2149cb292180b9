#include "exporter/diagnosis/idle.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/timeout_in_force.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using std::chrono::seconds;

class IdleTest : public testing::Test {
 protected:
  // A connection to a service at 192.0.2.2:80 that was opened here.
  kernel::TcpSocket& Add(std::uint32_t idle, std::optional<std::uint32_t> keepalive_after = std::nullopt) {
    kernel::TcpSocket& socket = sockets_.emplace_back(OpenSocket(sockets_.size() + 1));
    socket.opened_here = true;
    socket.entry.remaining_seconds = 1000 - std::min(idle, 1000U);
    Show(socket, idle, keepalive_after);
    return socket;
  }
  static void Show(kernel::TcpSocket& socket, std::uint32_t idle, std::optional<std::uint32_t> keepalive_after = {}) {
    socket.idle = seconds(idle);
    if (keepalive_after) {
      socket.timer = kernel::SocketTimer::kKeepalive;
      socket.timer_expires = seconds(*keepalive_after - idle);
    }
  }
  IdleSummary Sum(std::chrono::milliseconds now = seconds(10'000)) {
    const kernel::SocketTable sockets(sockets_);
    const IdleContext context{&sysctl_, {true, true}, paths_};
    history_.Update(sockets, {}, source_, context, SteadyClock::time_point(now));
    return SumUpIdle(sockets, {}, history_, context, SteadyClock::time_point(now));
  }

  std::vector<kernel::TcpSocket> sockets_;
  std::vector<PathTimeout> paths_;
  sources::SysctlSample sysctl_;
  IdleHistory history_;
  IdleHistory::Source source_ = IdleHistory::Source::kEntries;
};

TEST_F(IdleTest, CountsThoseSilentForLongerThanEachTimeout) {
  Add(60);
  Add(61);
  Add(351);
  Add(90'000);
  const IdleSummary summary = Sum();
  EXPECT_EQ(summary.sockets, 4U);
  EXPECT_EQ(summary.outlived, (LadderCounts{3, 2, 2, 1, 1, 1, 1, 1}));
  EXPECT_EQ(summary.longest_needed_seconds, 90'000U);
}

TEST_F(IdleTest, LeavesOutClosingSocketsAndThoseOfUnknownIdleTime) {
  Add(100).state = kernel::TcpState::kFinWait1;
  Add(100).idle.reset();
  EXPECT_EQ(Sum().sockets, 0U);
}

TEST_F(IdleTest, SparesThoseWhoseKeepaliveComesBeforeTheTimeout) {
  Add(100, 200);
  const IdleSummary summary = Sum();
  EXPECT_EQ(summary.outlived[0], 1U);
  EXPECT_EQ(summary.outlived_without_keepalive[0], 1U);  // 60 s: the probe at 200 s is too late
  EXPECT_EQ(summary.longest_needed_seconds, 200U);
}

TEST_F(IdleTest, ComparesKeepaliveWithTheEntrysOwnTimeout) {
  Add(10);
  Add(10, 999);
  Add(10, 1000);
  EXPECT_EQ(Sum().by_keepalive, (std::array<std::uint64_t, 3>{1, 1, 1}));
}

// ctnetlink tells neither state nor timeout of it.
TEST_F(IdleTest, AnEntryInAFlowtableHasNoTimeoutOfItsOwn) {
  sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] = seconds(600);
  kernel::TcpSocket& socket = Add(20);
  socket.entry.state.reset();
  socket.entry.remaining_seconds = 0;
  const TimeoutInForce timeout = TimeoutInForceOf(socket, 20, {&sysctl_, {true, true}, paths_});
  EXPECT_EQ(timeout.local, 600U) << "not the 20 s of its silence";
  EXPECT_FALSE(timeout.is_own);
}

TEST_F(IdleTest, TakesAnEntrysTimeoutForTheSysctlsWhereRoundingTellsThemApart) {
  sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] = seconds(60);
  kernel::TcpSocket& socket = Add(2);
  socket.entry.remaining_seconds = 57;  // both in whole seconds, rounded down
  EXPECT_EQ(Sum().shortest_timeout_seconds, 60U);
  socket.entry.remaining_seconds = 28;
  EXPECT_EQ(Sum().shortest_timeout_seconds, 30U) << "a policy's, and no sysctl's";
}

TEST_F(IdleTest, ComparesKeepaliveWithThePathsTimeoutWhereThatIsShorter) {
  paths_.push_back({"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, seconds(350)});
  Add(10, 349);
  Add(10, 350);
  Add(351);
  Add(351).peer = *Endpoint::Parse("198.51.100.1:80");
  const IdleSummary summary = Sum();
  EXPECT_EQ(summary.by_keepalive, (std::array<std::uint64_t, 3>{2, 1, 1}));
  EXPECT_EQ(summary.paths.at(0).expiring, 1U);
}

TEST_F(IdleTest, NamesTheServiceThatHoldsTheSilentConnections) {
  Add(500);
  Add(500);
  kernel::TcpSocket& served = Add(1);
  served.opened_here = false;
  const IdleSummary summary = Sum();
  ASSERT_EQ(summary.services.size(), 2U);
  EXPECT_EQ(summary.services[0].service.port, 80);
  EXPECT_TRUE(summary.services[0].service.at_peer);
  EXPECT_EQ(summary.services[0].outlived_without_keepalive[2], 2U);
  EXPECT_EQ(summary.services[1].service.port, served.local.port);
  EXPECT_FALSE(summary.services[1].service.at_peer);
}

TEST_F(IdleTest, RemembersTheSilenceAfterWhichAConnectionSpoke) {
  kernel::TcpSocket& socket = Add(300);
  EXPECT_EQ(Sum(seconds(10'000)).last_24_hours.largest_seconds, 0U);
  Show(socket, 2);
  ++socket.segments;
  const IdleSummary spoke = Sum(seconds(10'005));
  EXPECT_EQ(spoke.last_24_hours.largest_seconds, 303U);
  EXPECT_EQ(spoke.last_24_hours.spoke_again.longer, (LadderCounts{1, 1}));
  EXPECT_EQ(spoke.longest_needed_seconds, 303U);
  EXPECT_EQ(Sum(seconds(10'005) + std::chrono::hours(25)).last_24_hours.largest_seconds, 0U);
}

TEST_F(IdleTest, HoldsSilencesOf24HoursAgainstThePathOfEach) {
  paths_.push_back({"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, seconds(200)});
  paths_.push_back({"198.51.100.0/24", *IpAddress::Parse("198.51.100.0"), 24, seconds(400)});
  Add(300);
  Sum(seconds(10'000));
  Show(sockets_[0], 2);
  ++sockets_[0].segments;
  IdleSummary spoke = Sum(seconds(10'005));
  EXPECT_EQ(spoke.paths.at(0).effect.spoke_again, 1U);
  EXPECT_EQ(spoke.paths.at(0).longest_needed_seconds, 303U);
  EXPECT_FALSE(spoke.paths.at(0).effect.IsSafe());
  EXPECT_EQ(spoke.services.at(0).paths[0].spoke_again, 1U);
  EXPECT_EQ(spoke.paths.at(1).effect.spoke_again, 0U);
  EXPECT_EQ(spoke.paths.at(1).longest_needed_seconds, 0U);
  sockets_.clear();
  spoke = Sum(seconds(10'010));
  EXPECT_FALSE(spoke.paths.at(0).effect.IsSafe()) << "nor when it is gone";
  kernel::TcpSocket& other = Add(300);
  other.peer = *Endpoint::Parse("198.51.100.1:80");
  Sum(seconds(10'015));
  Show(other, 2);
  ++other.segments;
  spoke = Sum(seconds(10'020));
  EXPECT_EQ(spoke.paths.at(1).longest_needed_seconds, 303U);
  EXPECT_TRUE(spoke.paths.at(1).effect.IsSafe());
}

TEST_F(IdleTest, TellsWhoseConnectionsSpokeAgain) {
  kernel::TcpSocket& socket = Add(300);
  socket.cgroup_id = 77;
  Sum(seconds(10'000));
  Show(socket, 2);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'005)).services.at(0).spoke_again, (LadderCounts{1, 1}));
  sockets_.clear();
  const IdleSummary gone = Sum(seconds(10'010));
  ASSERT_EQ(gone.services.size(), 1U) << "what has spoken counts after its end";
  EXPECT_EQ(gone.services[0].service, (IdleService{80, true, {0, 77}}));
  EXPECT_EQ(gone.services[0].sockets, 0U);
}

TEST_F(IdleTest, TellsApartWhoHoldsAConnection) {
  Add(500).cgroup_id = 1;
  Add(500).cgroup_id = 2;
  Add(500).cgroup_id = 2;
  const IdleSummary summary = Sum();
  ASSERT_EQ(summary.services.size(), 2U);
  EXPECT_EQ(summary.services[0].service.holder.cgroup, 2U) << "the most first";
  EXPECT_EQ(summary.services[0].sockets, 2U);
}

TEST_F(IdleTest, HoldsTheClosedByPeersAgainstATimeoutOfTheirOwn) {
  Add(10);
  kernel::TcpSocket& closed = Add(500);
  closed.state = kernel::TcpState::kCloseWait;
  const IdleSummary summary = Sum(seconds(10'000));
  EXPECT_EQ(summary.half_closed, 1U);
  EXPECT_EQ(summary.longest_needed_half_closed_seconds, 500U);
  EXPECT_EQ(summary.longest_needed_seconds, 10U);
  EXPECT_EQ(summary.outlived[0], 1U);
  EXPECT_EQ(summary.outlived_without_keepalive[0], 0U);
  Show(closed, 1);
  ++closed.segments;
  const IdleSummary spoke = Sum(seconds(10'005));
  EXPECT_EQ(spoke.last_24_hours.largest_half_closed_seconds, 504U);
  EXPECT_EQ(spoke.last_24_hours.spoke_again.longer, LadderCounts());
}

TEST_F(IdleTest, SeesByAShorterSilenceThatOneSpokeWhereSegmentsAreNotTold) {
  kernel::TcpSocket& socket = Add(300);  // of another namespace: its list has no segments
  Sum(seconds(10'000));
  Show(socket, 3);
  EXPECT_EQ(Sum(seconds(10'005)).last_24_hours.largest_seconds, 302U);
}

TEST_F(IdleTest, AddsThoseOfOtherNamespaces) {
  Add(100);
  IdleSummary own = Sum();
  sockets_.clear();
  Add(700);
  kernel::SocketTable sockets(sockets_);
  IdleHistory history;
  const std::vector<std::uint32_t> namespaces = {7};
  const SteadyClock::time_point now(seconds(10'000));
  const IdleContext context{&sysctl_, {true, true}, paths_};
  history.Update(sockets, namespaces, IdleHistory::Source::kEntries, context, now);
  IdleSummary others = SumUpIdle(sockets, namespaces, history, context, now);
  others.untold = 2;
  diagnosis::Add(others, own);
  EXPECT_EQ(own.sockets, 2U);
  EXPECT_EQ(own.untold, 2U);
  EXPECT_EQ(own.outlived, (LadderCounts{2, 1, 1, 1}));
  EXPECT_EQ(own.longest_needed_seconds, 700U);
  ASSERT_EQ(own.services.size(), 2U);
  EXPECT_EQ(own.services[0].service, (IdleService{80, true, {7, 0}}));
}

TEST_F(IdleTest, SeesAKeepaliveOfThePeersThatTcpInfoDoesNotDate) {
  kernel::TcpSocket& socket = Add(300);
  Sum(seconds(10'000));
  Show(socket, 305);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'005)).outlived[0], 0U);
}

TEST_F(IdleTest, GoesOnCountingWhileNothingComes) {
  kernel::TcpSocket& socket = Add(58);
  EXPECT_EQ(Sum(seconds(10'000)).outlived[0], 0U);
  Show(socket, 63);
  EXPECT_EQ(Sum(seconds(10'005)).outlived[0], 1U);
}

TEST_F(IdleTest, LosesNoTimeBetweenSamplesToRounding) {
  kernel::TcpSocket& socket = Add(40);
  for (std::uint32_t i = 0; i <= 100; ++i) {
    Show(socket, 40 + i * 14 / 10);
    Sum(seconds(10'000) + std::chrono::milliseconds(1400) * i);
  }
  EXPECT_EQ(history_.Of(socket)->seconds, 180U);
}

TEST_F(IdleTest, KeepsTheLongestKeepaliveSeen) {
  kernel::TcpSocket& socket = Add(10, 50);  // the timer was set before the last packet
  Sum(seconds(10'000));
  Show(socket, 50, 2000);
  Sum(seconds(10'040));
  Show(socket, 1, 1500);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'045)).by_keepalive, (std::array<std::uint64_t, 3>{0, 1, 0}));
}

// Tests of sockets whose idle time tcp_info tells, under nf_conntrack_tcp_timeout_established = 600.
class SilenceTest : public IdleTest {
 protected:
  SilenceTest() {
    source_ = IdleHistory::Source::kTcpInfo;
    sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] = seconds(600);
    sysctl_.conntrack_tcp_loose = 1;
  }
  static void Remain(kernel::TcpSocket& socket, std::uint32_t remaining) { socket.entry.remaining_seconds = remaining; }
};

TEST_F(SilenceTest, TakesAKeepaliveOfThePeersFromTheEntryInOneSample) {
  Remain(Add(300), 595);
  const IdleSummary summary = Sum();
  EXPECT_EQ(summary.outlived[0], 0U);
  EXPECT_EQ(summary.longest_needed_seconds, 5U);
}

TEST_F(SilenceTest, BelievesTcpInfoWhereTheEntryIsUnderAPolicy) {
  Remain(Add(100), 20);  // given 120
  EXPECT_EQ(Sum().longest_needed_seconds, 100U);
}

TEST_F(SilenceTest, BelievesTcpInfoWhereTheServicesEntriesAreGivenMore) {
  Remain(Add(10), 3590);   // a policy's 3600
  Remain(Add(3100), 500);  // looks refreshed 100 s ago by the sysctl
  EXPECT_EQ(Sum().longest_needed_seconds, 3100U);
}

TEST_F(SilenceTest, CountsNoSilenceThatAPeersKeepaliveMayHaveBroken) {
  kernel::TcpSocket& socket = Add(300);
  Remain(socket, 35);  // a policy's: nothing tells when it was given
  EXPECT_EQ(Sum(seconds(10'000)).longest_needed_seconds, 300U);
  Show(socket, 305);
  ++socket.segments;
  const IdleSummary spoke = Sum(seconds(10'005));
  EXPECT_EQ(spoke.last_24_hours.largest_seconds, 0U);
  EXPECT_EQ(spoke.last_24_hours.spoke_again.longer, LadderCounts());
  EXPECT_EQ(spoke.longest_needed_seconds, 0U);
}

TEST_F(SilenceTest, CountsWhatSamplesSawOfAnUnsureSilence) {
  kernel::TcpSocket& socket = Add(300);
  Remain(socket, 35);
  Sum(seconds(10'000));
  Show(socket, 370);
  Sum(seconds(10'070));
  Show(socket, 1);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'075)).last_24_hours.largest_seconds, 74U);
}

TEST_F(SilenceTest, CountsNoFalseSilenceOfAPeerThatKeepsAlive) {
  kernel::TcpSocket& socket = Add(300);
  Remain(socket, 598);
  Sum(seconds(10'000));
  Show(socket, 305);
  ++socket.segments;
  Remain(socket, 599);
  EXPECT_EQ(Sum(seconds(10'005)).last_24_hours.largest_seconds, 0U);
}

TEST_F(SilenceTest, DoesNotTakeAnUnansweredProbeOfItsOwnForAPacketOfThePeers) {
  kernel::TcpSocket& socket = Add(95, 100);
  Remain(socket, 505);
  Sum(seconds(10'000));
  Show(socket, 105, 200);
  ++socket.segments;  // the probe went after 100 s
  Remain(socket, 595);
  EXPECT_EQ(Sum(seconds(10'010)).outlived[0], 1U);
  history_ = {};
  EXPECT_EQ(Sum(seconds(10'010)).outlived[0], 1U) << "in one sample";
}

TEST_F(SilenceTest, IsSureWithoutAnEntryWhereAKeepaliveWouldHaveMadeOne) {
  kernel::TcpSocket& socket = Add(700);
  socket.entry = {};
  socket.entry.tracking = kernel::Tracking::kUntracked;
  Sum(seconds(10'000));
  Show(socket, 1);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'005)).last_24_hours.largest_seconds, 704U);
}

TEST_F(SilenceTest, HoldsConnectionsAgainstTheTimeoutInForceBelowTheLadder) {
  sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] = seconds(20);
  kernel::TcpSocket& forgotten = Add(30);
  forgotten.entry = {};
  forgotten.entry.tracking = kernel::Tracking::kUntracked;
  Remain(Add(12, 25), 8);
  Remain(Add(12, 15), 8);
  Remain(Add(12), 8);
  const IdleSummary summary = Sum();
  EXPECT_EQ(summary.local.sockets, 4U);
  EXPECT_EQ(summary.local.forgotten, 1U);
  EXPECT_EQ(summary.local.late_keepalive, 1U);
  EXPECT_EQ(summary.local.without_keepalive, 1U);
  EXPECT_FALSE(summary.local.IsSafe());
  EXPECT_EQ(summary.services.at(0).in_force.forgotten, 1U);
  EXPECT_EQ(summary.missing_entries, 0U);
}

TEST_F(SilenceTest, RemembersASilenceBeyondATimeoutBelowTheLadder) {
  sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] = seconds(20);
  kernel::TcpSocket& socket = Add(12);
  Remain(socket, 8);
  Sum(seconds(10'000));
  Show(socket, 1);
  ++socket.segments;
  Remain(socket, 19);
  const IdleSummary spoke = Sum(seconds(10'012));
  EXPECT_EQ(spoke.last_24_hours.largest_seconds, 23U);
  EXPECT_EQ(spoke.local.spoke_again, 1U);
  EXPECT_EQ(spoke.watched, seconds(12));
}

TEST_F(SilenceTest, HoldsASilenceUnderAPolicyAgainstNoSysctl) {
  kernel::TcpSocket& socket = Add(5);
  Remain(socket, 95);  // given 100
  Sum(seconds(10'000));
  Show(socket, 90);
  Remain(socket, 10);
  Sum(seconds(10'085));
  Show(socket, 1);
  ++socket.segments;
  Remain(socket, 99);
  const IdleSummary spoke = Sum(seconds(10'105));
  EXPECT_EQ(spoke.last_24_hours.largest_seconds, 104U);
  EXPECT_EQ(spoke.last_24_hours.largest_local_seconds, 0U);
  EXPECT_EQ(spoke.local.spoke_again, 0U);
  EXPECT_EQ(spoke.own.spoke_again, 1U);
}

TEST_F(SilenceTest, CountsWhatIsSentForTheFirstTimeAndNoRetries) {
  Remain(Add(100), 500);
  Sum(seconds(10'000));
  Show(sockets_[0], 1);  // sent, and nobody answers
  ++sockets_[0].segments;
  sockets_[0].opened_here.reset();
  EXPECT_EQ(Sum(seconds(10'005)).last_24_hours.largest_seconds, 104U);
  Show(sockets_[0], 119);
  Sum(seconds(10'123));
  Show(sockets_[0], 1);  // the next try
  ++sockets_[0].segments;
  EXPECT_EQ(Sum(seconds(10'126)).last_24_hours.largest_seconds, 104U);
}

TEST_F(SilenceTest, CountsSilencesWhereTheKernelDoesNotTellWhatIsUnacknowledged) {
  kernel::TcpSocket& socket = Add(300);
  Remain(socket, 300);
  socket.opened_here.reset();
  Sum(seconds(10'000));
  Show(socket, 1);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'005)).last_24_hours.largest_seconds, 304U);
}

TEST_F(SilenceTest, CountsOpenConnectionsWhoseEntryIsGoneBeforeItsTime) {
  kernel::TcpSocket& socket = Add(30);
  socket.entry = {};
  socket.entry.tracking = kernel::Tracking::kUntracked;
  EXPECT_EQ(Sum().missing_entries, 1U);
}

TEST_F(SilenceTest, TakesTheMostSpecificPathOfThoseThatCoverAPeer) {
  paths_.push_back({"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, seconds(5)});
  paths_.push_back({"192.0.2.2/32", *IpAddress::Parse("192.0.2.2"), 32, seconds(3600)});
  Remain(Add(12, 300), 588);
  const IdleSummary summary = Sum();
  EXPECT_EQ(summary.paths.at(0).expiring, 0U);
  EXPECT_EQ(summary.paths.at(0).effect.sockets, 0U);
  EXPECT_EQ(summary.paths.at(1).effect.sockets, 1U);
  EXPECT_EQ(summary.by_keepalive, (std::array<std::uint64_t, 3>{0, 0, 1}));
}

}  // namespace
}  // namespace finwait::diagnosis
