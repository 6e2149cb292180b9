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
  service.port = 5432;
  service.at_peer = true;
  service.sockets = 40;
  service.longest_seconds = 700;
  service.outlived_without_keepalive = idle.outlived;
  service.by_keepalive = {40, 0, 0};
  idle.services.push_back(service);
  return idle;
}

TEST(IdleAdviceTest, NamesTheSafeTimeoutTheLossesAndTheKeepaliveOfAPool) {
  const auto advice = IdleAdvice(Pool(), nullptr);
  ASSERT_EQ(advice.size(), 2U);
  EXPECT_EQ(advice[0].id, "safe_timeout");
  EXPECT_THAT(advice[0].text, HasSubstr("A timeout of 720 s"));
  EXPECT_THAT(advice[0].text, HasSubstr("600 s would have forgotten 40 (40 to peers' port 5432)."));
  EXPECT_THAT(advice[0].text, Not(HasSubstr("900 s")));
  EXPECT_EQ(advice[1].id, "idle_keepalive");
  EXPECT_THAT(advice[1].text, HasSubstr("off on 40 of 40"));
  EXPECT_THAT(advice[1].text, HasSubstr("TCP_KEEPIDLE = 120."));
}

TEST(IdleAdviceTest, AdvisesAKeepaliveWithinAShorterTimeoutOfThePath) {
  diagnosis::IdleSummary idle = Pool();
  idle.paths.push_back({{"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, std::chrono::seconds(100)}, 3});
  const auto advice = IdleAdvice(idle, nullptr);
  ASSERT_EQ(advice.size(), 3U);
  EXPECT_EQ(advice[0].id, "path_forgets");
  EXPECT_THAT(advice[0].text, HasSubstr("3 connections there have been silent"));
  EXPECT_THAT(advice[2].text, HasSubstr("TCP_KEEPIDLE = 50 and TCP_KEEPINTVL = 50."));
}

TEST(IdleAdviceTest, SaysNothingWhereNobodyIsSilent) {
  diagnosis::IdleSummary idle;
  idle.longest_needed_seconds = 60;
  EXPECT_TRUE(IdleAdvice(idle, nullptr).empty());
}

TEST(IdleAdviceTest, BlamesThePathForThoseThatItForgotBeforeTheyClosed) {
  diagnosis::IdleSummary idle = Pool();
  idle.paths.push_back({{"192.0.2.0/24", *IpAddress::Parse("192.0.2.0"), 24, std::chrono::seconds(100)}, 0});
  diagnosis::StuckSummary stuck;
  diagnosis::StuckSocket& one = stuck.sockets.emplace_back();
  one.socket.peer = *Endpoint::Parse("192.0.2.2:80");
  one.socket.idle = std::chrono::seconds(150);
  one.cause = diagnosis::Cause::kNoReply;
  one.age = std::chrono::seconds(60);  // silent for 90 s when it closed
  EXPECT_TRUE(ForgottenByPaths(stuck, idle).empty());
  one.age = std::chrono::seconds(40);
  ASSERT_EQ(ForgottenByPaths(stuck, idle).size(), 1U);
  one.cause = diagnosis::Cause::kLocalDrop;
  EXPECT_TRUE(ForgottenByPaths(stuck, idle).empty());
}

}  // namespace
}  // namespace finwait::report
