#include "exporter/diagnosis/idle.h"

#include <gtest/gtest.h>

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
  IdleSummary Sum(seconds now = seconds(10'000)) {
    const kernel::SocketTable sockets(sockets_);
    history_.Update(sockets, {}, SteadyClock::time_point(now));
    return SumUpIdle(sockets, {}, history_, {&sysctl_, {true, true}, paths_}, SteadyClock::time_point(now));
  }

  std::vector<kernel::TcpSocket> sockets_;
  std::vector<PathTimeout> paths_;
  sources::SysctlSample sysctl_;
  IdleHistory history_;
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
  EXPECT_EQ(spoke.last_24_hours.longer, (LadderCounts{1, 1}));
  EXPECT_EQ(spoke.longest_needed_seconds, 303U);
  EXPECT_EQ(Sum(seconds(10'005) + std::chrono::hours(25)).last_24_hours.largest_seconds, 0U);
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
  EXPECT_EQ(gone.services[0].service, (IdleService{80, true, 77, false}));
  EXPECT_EQ(gone.services[0].sockets, 0U);
}

TEST_F(IdleTest, TellsApartWhoHoldsAConnection) {
  Add(500).cgroup_id = 1;
  Add(500).cgroup_id = 2;
  Add(500).cgroup_id = 2;
  const IdleSummary summary = Sum();
  ASSERT_EQ(summary.services.size(), 2U);
  EXPECT_EQ(summary.services[0].service.holder, 2U) << "the most first";
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
  EXPECT_EQ(spoke.last_24_hours.longer, LadderCounts());
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
  history.Update(sockets, namespaces, now);
  IdleSummary others = SumUpIdle(sockets, namespaces, history, {&sysctl_, {true, true}, paths_}, now);
  others.untold = 2;
  diagnosis::Add(others, own);
  EXPECT_EQ(own.sockets, 2U);
  EXPECT_EQ(own.untold, 2U);
  EXPECT_EQ(own.outlived, (LadderCounts{2, 1, 1, 1}));
  EXPECT_EQ(own.longest_needed_seconds, 700U);
  ASSERT_EQ(own.services.size(), 2U);
  EXPECT_EQ(own.services[0].service, (IdleService{80, true, 7, true}));
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

TEST_F(IdleTest, KeepsTheLongestKeepaliveSeen) {
  kernel::TcpSocket& socket = Add(10, 50);  // the timer was set before the last packet
  Sum(seconds(10'000));
  Show(socket, 50, 2000);
  Sum(seconds(10'040));
  Show(socket, 1, 1500);
  ++socket.segments;
  EXPECT_EQ(Sum(seconds(10'045)).by_keepalive, (std::array<std::uint64_t, 3>{0, 1, 0}));
}

}  // namespace
}  // namespace finwait::diagnosis
