#include "exporter/report/timeout_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace finwait::report {
namespace {

using testing::HasSubstr;
using testing::Not;

class TimeoutVerdictTest : public testing::Test {
 protected:
  void Set(sources::ConntrackTcpTimeout which, int timeout) {
    sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(which)] = std::chrono::seconds(timeout);
  }
  TimeoutVerdictTest() {
    Set(sources::ConntrackTcpTimeout::kEstablished, 20);
    Set(sources::ConntrackTcpTimeout::kCloseWait, 60);
    idle_.local.sockets = 80;
    idle_.longest_needed_seconds = 31;
    diagnosis::ServiceIdle& service = idle_.services.emplace_back();
    service.service.port = 5432;
    service.service.at_peer = true;
  }
  std::string First() const {
    const auto verdicts = TimeoutVerdicts(idle_, &sysctl_);
    return verdicts.empty() ? "" : verdicts[0].text;
  }

  sources::SysctlSample sysctl_;
  diagnosis::IdleSummary idle_;
};

TEST_F(TimeoutVerdictTest, SaysThatATimeoutIsNotSafeAndWhoseConnectionsItHasForgotten) {
  idle_.local.forgotten = idle_.services[0].local.forgotten = 40;
  idle_.local.late_keepalive = 2;
  idle_.local.spoke_again = 3;
  EXPECT_EQ(First(),
            "nf_conntrack_tcp_timeout_established = 20 s is not safe, by what was seen at this moment. It has "
            "forgotten 40 of 80 connections (40 to peers' port 5432); of 2 more the keepalive comes too late; 3 "
            "silences within 24 hours were longer, after which a connection spoke again. That is one sample; the "
            "running service knows the last 24 hours.");
}

TEST_F(TimeoutVerdictTest, SaysOfHowManyAndOnWhichPortTheKeepaliveComesTooLate) {
  idle_.local.late_keepalive = idle_.services[0].local.late_keepalive = 3;
  EXPECT_THAT(First(), HasSubstr("The keepalive of 3 of 80 connections (3 to peers' port 5432) comes too late."));
}

TEST_F(TimeoutVerdictTest, NamesPortsWithPathsToo) {
  diagnosis::PathIdle& path = idle_.paths.emplace_back();
  path.path = {"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, std::chrono::seconds(10)};
  path.effect.sockets = 50;
  path.effect.forgotten = idle_.services[0].paths[0].forgotten = 45;
  idle_.local.forgotten = idle_.services[0].local.forgotten = 40;
  idle_.services[0].in_force.forgotten = 45;
  EXPECT_THAT(First(), HasSubstr("It has forgotten 40 of 80 connections (40 to peers' port 5432)."));
  EXPECT_THAT(TimeoutVerdicts(idle_, &sysctl_).at(1).text,
              HasSubstr("It has forgotten 45 of 50 connections (45 to peers' port 5432)."));
}

TEST_F(TimeoutVerdictTest, RemembersWhatWasUnderATimeoutWhereNothingIsOpenNow) {
  idle_.local = {};
  idle_.watched = std::chrono::seconds(92);
  idle_.last_24_hours.largest_local_seconds = 15;
  EXPECT_EQ(First(),
            "nf_conntrack_tcp_timeout_established = 20 s is safe for what was seen in the first minutes: the longest "
            "silence, or time until a keepalive, is 15 s. No connection is open under it now.");
  idle_.last_24_hours.largest_local_seconds = 67;
  idle_.local.spoke_again = 1;
  EXPECT_EQ(First(),
            "nf_conntrack_tcp_timeout_established = 20 s is not safe, by what was seen in the first minutes. 1 silence "
            "within 24 hours was longer, after which a connection spoke again. No connection is open under it now.");
}

TEST_F(TimeoutVerdictTest, CallsNoPathSafeThatForgotWhatIsStuck) {
  diagnosis::PathIdle& path = idle_.paths.emplace_back();
  path.path = {"192.0.2.2/32", *IpAddress::Parse("192.0.2.2"), 32, std::chrono::seconds(5)};
  EXPECT_EQ(
      TimeoutVerdicts(idle_, nullptr)
          .at(0)
          .text.find("A path timeout of 5 s to 192.0.2.2/32 (--path.timeout): no connection is open under it now."),
      0U);
  path.effect.sockets = 1;
  const std::vector<std::uint64_t> forgotten = {3};
  EXPECT_THAT(TimeoutVerdicts(idle_, nullptr, forgotten).at(0).text,
              HasSubstr("(--path.timeout) is not safe, by what was seen at this moment. It has forgotten 3 of 4 "
                        "connections. 3 of those forgotten have closed and are stuck."));
}

TEST_F(TimeoutVerdictTest, SaysThatATimeoutIsSafeForWhatWasSeenAndOverWhichTime) {
  Set(sources::ConntrackTcpTimeout::kEstablished, 600);
  idle_.local.without_keepalive = 8;
  idle_.watched = std::chrono::hours(3);
  EXPECT_EQ(First(),
            "nf_conntrack_tcp_timeout_established = 600 s is safe for what was seen in the last 3 h: the longest "
            "silence, or time until a keepalive, is 31 s. 8 of 80 connections have no keepalive: once silent for "
            "longer than 600 s, forgotten.");
  idle_.watched = std::chrono::hours(300);
  EXPECT_THAT(First(), HasSubstr("in the last 24 h"));
}

TEST_F(TimeoutVerdictTest, NamesTimeoutsOfEntriesOwnAndEntriesThatAreMissing) {
  EXPECT_THAT(First(), Not(HasSubstr("ct timeout")));
  idle_.own.sockets = 10;
  idle_.own.late_keepalive = 5;
  idle_.shortest_timeout_seconds = 15;
  idle_.missing_entries = 1;
  EXPECT_EQ(
      TimeoutVerdicts(idle_, &sysctl_).at(1).text,
      "10 entries have timeouts of their own (ct timeout), about 15 s at the shortest: not safe, by what was seen "
      "at this moment. The keepalive of 5 of 10 connections comes too late.");
  EXPECT_THAT(First(), HasSubstr("But 1 connection that was silent for less has no entry"));
}

TEST_F(TimeoutVerdictTest, AnswersForClosedByPeersAndForPaths) {
  idle_.half_closed = 1;
  idle_.longest_needed_half_closed_seconds = 70;
  diagnosis::PathIdle& path = idle_.paths.emplace_back();
  path.path = {"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, std::chrono::seconds(350)};
  path.effect.sockets = 5;
  path.effect.forgotten = 1;
  const auto verdicts = TimeoutVerdicts(idle_, &sysctl_);
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(verdicts[0].id, "timeout_in_force");
  EXPECT_THAT(verdicts[1].text, HasSubstr("close_wait = 60 s is not safe, by what was seen at this moment"));
  EXPECT_THAT(verdicts[2].text, HasSubstr("A path timeout of 350 s to 192.0.2.0/24 (--path.timeout) is not safe"));
}

TEST_F(TimeoutVerdictTest, SaysNothingOfATimeoutThatIsNotKnownOrInForce) {
  EXPECT_TRUE(TimeoutVerdicts(idle_, nullptr).empty());
  idle_.local = {};
  EXPECT_TRUE(TimeoutVerdicts(idle_, &sysctl_).empty());
}

}  // namespace
}  // namespace finwait::report
