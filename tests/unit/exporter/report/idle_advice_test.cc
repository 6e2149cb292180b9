#include "exporter/report/idle_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace finwait::report {
namespace {

using testing::HasSubstr;
using testing::Not;

// 40 connections of a pool to port 5432, silent for 700 s, without keepalive.
diagnosis::IdleSummary Pool() {
  diagnosis::IdleSummary idle;
  idle.longest_needed_seconds = 700;
  idle.outlived = idle.outlived_without_keepalive = {40, 40, 40, 40};
  diagnosis::ServiceIdle service;
  service.service.port = 5432;
  service.service.at_peer = true;
  service.sockets = 40;
  service.longest_seconds = 700;
  service.outlived_without_keepalive = idle.outlived;
  service.by_keepalive = {40, 0, 0};
  idle.services.push_back(service);
  return idle;
}

diagnosis::PathIdle PathOf(const std::string& network, std::size_t bits, int timeout) {
  diagnosis::PathIdle path;
  path.path = {network + "/" + std::to_string(bits), *IpAddress::Parse(network), bits, std::chrono::seconds(timeout)};
  return path;
}

TEST(IdleAdviceTest, NamesTheSafeTimeoutTheLossesAndTheKeepaliveOfAPool) {
  const auto advice = IdleAdvice(Pool(), nullptr, {});
  ASSERT_EQ(advice.size(), 2U);
  EXPECT_EQ(advice[0].id, "safe_timeout");
  EXPECT_THAT(advice[0].text, HasSubstr("A timeout of 720 s"));
  EXPECT_THAT(advice[0].text, HasSubstr("600 s would have forgotten 40 (40 to peers' port 5432)."));
  EXPECT_THAT(advice[0].text, Not(HasSubstr("900 s")));
  EXPECT_EQ(advice[1].id, "idle_keepalive");
  EXPECT_THAT(advice[1].text, HasSubstr("off on 40 of 40"));
  EXPECT_THAT(advice[1].text, HasSubstr("TCP_KEEPIDLE = 120 and TCP_KEEPINTVL = 75."));
}

TEST(IdleAdviceTest, NamesTheHolderItsTermsAndWhatSpokeAgain) {
  diagnosis::IdleSummary idle = Pool();
  idle.last_24_hours.spoke_again.longer = {3};
  idle.services[0].owner = std::make_shared<const kernel::namespaces::Owner>(
      kernel::namespaces::Owner{kernel::namespaces::OwnerKind::kUnit, "", "shop.service", ""});
  idle.services[0].spoke_again = {3};
  idle.services[0].by_keepalive = {30, 10, 0};
  const auto advice = IdleAdvice(idle, nullptr, {});
  EXPECT_THAT(advice[0].text,
              HasSubstr("60 s would have forgotten 40 (40 to peers' port 5432 of unit shop.service), and "
                        "a connection in 3 silences within 24 hours, after which it spoke again (3 to peers' port 5432 "
                        "of unit shop.service)."));
  EXPECT_THAT(advice[1].text, HasSubstr("off on 30 of 40, and later than the timeout in force on 10)"));
  EXPECT_THAT(advice[1].text, HasSubstr("In terms of PostgreSQL: keepalives_idle=120"));
}

TEST(IdleAdviceTest, TellsWhatTheTimeoutCosts) {
  const auto advice = IdleAdvice(Pool(), nullptr, TableLoad{10, 262'144, 40});
  EXPECT_THAT(advice[0].text, HasSubstr("10 connections a second end here now"));
  EXPECT_THAT(advice[0].text, HasSubstr("7200 entries, 2.8 MB or 2.7 % of the table's limit"));
}

TEST(IdleAdviceTest, AdvisesTheTimeoutsOfHalfClosedConnections) {
  sources::SysctlSample sysctl;
  const auto set = [&](sources::ConntrackTcpTimeout which, int timeout) {
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(which)] = std::chrono::seconds(timeout);
  };
  set(sources::ConntrackTcpTimeout::kCloseWait, 60);
  set(sources::ConntrackTcpTimeout::kFinWait, 120);
  diagnosis::IdleSummary idle;
  idle.half_closed = 4;
  idle.longest_needed_half_closed_seconds = 60;
  EXPECT_TRUE(IdleAdvice(idle, &sysctl, {}).empty());
  idle.longest_needed_half_closed_seconds = 200;
  set(sources::ConntrackTcpTimeout::kFinWait, 30);
  const auto advice = IdleAdvice(idle, &sysctl, {});
  ASSERT_EQ(advice.size(), 2U);
  EXPECT_EQ(advice[0].id, "safe_close_wait_timeout");
  EXPECT_THAT(advice[0].text, HasSubstr("240 s would have forgotten none"));
  EXPECT_EQ(advice[1].id, "safe_fin_wait_timeout");
}

TEST(IdleAdviceTest, AdvisesAKeepaliveWithinAShorterTimeoutOfThePath) {
  diagnosis::IdleSummary idle = Pool();
  idle.paths.push_back(PathOf("192.0.2.0", 24, 100));
  idle.paths[0].expiring = 3;
  const auto advice = IdleAdvice(idle, nullptr, {});
  ASSERT_EQ(advice.size(), 3U);
  EXPECT_EQ(advice[0].id, "path_forgets");
  EXPECT_THAT(advice[0].text, HasSubstr("3 connections there have been silent"));
  EXPECT_THAT(advice[2].text, HasSubstr("TCP_KEEPIDLE = 50 and TCP_KEEPINTVL = 50."));
}

TEST(IdleAdviceTest, SaysNothingWhereNobodyIsSilent) {
  diagnosis::IdleSummary idle;
  idle.longest_needed_seconds = 60;
  EXPECT_TRUE(IdleAdvice(idle, nullptr, {}).empty());
}

TEST(IdleAdviceTest, BlamesThePathForThoseThatItForgotBeforeTheyClosed) {
  diagnosis::IdleSummary idle = Pool();
  idle.paths.push_back(PathOf("192.0.2.0", 24, 100));
  diagnosis::StuckSummary stuck;
  diagnosis::StuckSocket& one = stuck.sockets.emplace_back();
  one.socket.peer = *Endpoint::Parse("192.0.2.2:80");
  one.socket.idle = std::chrono::seconds(150);
  one.cause = diagnosis::Cause::kNoReply;
  one.age = std::chrono::seconds(60);  // silent for 90 s when it closed
  EXPECT_TRUE(ForgottenByPaths(CountForgottenByPaths(stuck, idle), idle).empty());
  one.age = std::chrono::seconds(40);
  ASSERT_EQ(ForgottenByPaths(CountForgottenByPaths(stuck, idle), idle).size(), 1U);
  one.cause = diagnosis::Cause::kLocalDrop;
  EXPECT_TRUE(ForgottenByPaths(CountForgottenByPaths(stuck, idle), idle).empty());
}

TEST(IdleAdviceTest, BlamesTheMostSpecificPath) {
  diagnosis::IdleSummary idle;
  idle.paths.push_back(PathOf("192.0.2.0", 24, 100));
  idle.paths.push_back(PathOf("192.0.2.2", 32, 3600));
  diagnosis::StuckSummary stuck;
  diagnosis::StuckSocket& one = stuck.sockets.emplace_back();
  one.socket.peer = *Endpoint::Parse("192.0.2.2:80");
  one.socket.idle = std::chrono::seconds(150);
  one.cause = diagnosis::Cause::kNoReply;
  EXPECT_TRUE(ForgottenByPaths(CountForgottenByPaths(stuck, idle), idle).empty());
}

TEST(IdleAdviceTest, AdvisesAKeepaliveWithinTheTimeoutThatItAdvises) {
  diagnosis::IdleSummary idle = Pool();
  idle.longest_needed_seconds = 71;  // 120 s are safe
  const auto advice = IdleAdvice(idle, nullptr, {});
  ASSERT_EQ(advice.size(), 2U);
  EXPECT_THAT(advice[0].text, HasSubstr("A timeout of 120 s"));
  EXPECT_THAT(advice[1].text, HasSubstr("TCP_KEEPIDLE = 60 and TCP_KEEPINTVL = 60."));
}

TEST(IdleAdviceTest, AdvisesBelowTheLadderWhereATimeoutInForceIsTooShort) {
  sources::SysctlSample sysctl;
  sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] =
      std::chrono::seconds(20);
  diagnosis::IdleSummary idle = Pool();
  idle.longest_needed_seconds = 31;
  idle.outlived = idle.outlived_without_keepalive = idle.services[0].outlived_without_keepalive = {};
  idle.local.sockets = idle.local.forgotten = 40;
  idle.services[0].in_force = idle.in_force = idle.local;
  const auto advice = IdleAdvice(idle, &sysctl, {});
  ASSERT_EQ(advice.size(), 2U);
  EXPECT_THAT(advice[0].text, HasSubstr("A timeout of 60 s would have forgotten none"));
  EXPECT_THAT(advice[0].text, HasSubstr("20 s, in force, has forgotten 40 (40 to peers' port 5432)."));
  EXPECT_THAT(advice[1].text, HasSubstr("for the 40 silent connections to peers' port 5432"));
  EXPECT_THAT(advice[1].text, HasSubstr("TCP_KEEPIDLE = 10 and TCP_KEEPINTVL = 10."));
}

}  // namespace
}  // namespace finwait::report
