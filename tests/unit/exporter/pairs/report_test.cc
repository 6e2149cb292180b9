#include "exporter/pairs/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace finwait::pairs {
namespace {

using testing::HasSubstr;
using testing::Not;

AbandonedHalf Half(const std::string& server, double age = 90) {
  AbandonedHalf half;
  half.server = server;
  half.port = 443;
  half.owner = "unit web.service";
  half.silent_seconds = 100;
  half.age_seconds = age;
  half.closed_by = "app-1:10061";
  half.cause = diagnosis::Cause::kLocalDrop;
  half.made_by = "app-1:10061";
  half.rule = ForeignRule{R"({"chain":"OUTPUT"})", "iptables-nft table filter, chain OUTPUT, handle 3"};
  return half;
}

FleetAnswers Answers(std::vector<AbandonedHalf> halves) {
  FleetAnswers answers;
  answers.hosts = 3;
  answers.pairs.halves = std::move(halves);
  answers.pairs.lost = 7;
  answers.pairs.live = 1;
  return answers;
}

TEST(PairsReportTest, TheTextNamesServersAndWhoMadeThem) {
  const std::string text = PairsText(Answers({Half("web-1:10061", 7200), Half("web-1:10061"), Half("web-2:10061")}));
  EXPECT_THAT(text, HasSubstr("3 halves of connections are abandoned"));
  EXPECT_THAT(text, HasSubstr("web-1:10061, port 443, unit web.service: 2 halves, abandoned for up to 2 h\n"
                              "  closed by app-1:10061\n"
                              "  lost by app-1:10061 (local_drop): iptables-nft table filter, chain OUTPUT, handle 3"));
  EXPECT_THAT(text, HasSubstr("web-2:10061, port 443, unit web.service: 1 half, abandoned for 90 s"));
  EXPECT_THAT(text, HasSubstr("Compared 7 lost halves with 1 live one on 3 hosts."));
  AbandonedHalf nobody = Half("web-1:10061");
  nobody.made_by = "";
  nobody.cause = diagnosis::Cause::kNoReply;
  EXPECT_THAT(PairsText(Answers({nobody})), HasSubstr("neither host has a rule that did it (no_reply)"));
}

TEST(PairsReportTest, WhatAHostSaysIsFitForATerminal) {
  AbandonedHalf half = Half("web-1:10061");
  half.owner = "unit \x1b[2J";
  half.rule->text = "chain \x1b]0;x";
  EXPECT_THAT(PairsText(Answers({half})), Not(HasSubstr("\x1b")));
}

TEST(PairsReportTest, HostsThatDidNotAnswerAreNamedAndDecideTheExitCode) {
  FleetAnswers answers = Answers({});
  EXPECT_EQ(ExitCode(answers), 0);
  EXPECT_THAT(PairsText(answers), HasSubstr("No abandoned half was found."));
  answers.silent = {{"web-9:10061", "it has another key"}};
  EXPECT_EQ(ExitCode(answers), 3);
  EXPECT_THAT(PairsText(answers), HasSubstr("Not known: what 1 host has.\n  web-9:10061: it has another key"));
  EXPECT_THAT(PairsText(answers), HasSubstr("on 2 hosts"));
  answers.pairs.halves = {Half("web-1:10061")};
  EXPECT_EQ(ExitCode(answers), 1);
}

TEST(PairsReportTest, AHostWhoseNatWasLeftOutIsNoCleanBill) {
  FleetAnswers answers = Answers({});
  answers.pairs.without_passages = {"nat-1:10061"};
  EXPECT_EQ(ExitCode(answers), 3);
  EXPECT_THAT(PairsText(answers), HasSubstr("Not known: what passes the NAT of 1 host"));
  EXPECT_THAT(PairsText(answers), HasSubstr("\n  nat-1:10061\n"));
  EXPECT_EQ(nlohmann::json::parse(PairsJson(answers))["nat_not_known"][0], "nat-1:10061");
}

TEST(PairsReportTest, LostHalvesWithoutAnotherEndAreNoCleanBill) {
  FleetAnswers answers = Answers({});
  answers.pairs.lost = 3;
  answers.pairs.unclear = 1;
  EXPECT_THAT(PairsText(answers), HasSubstr("Of 2 lost halves no live other end was found"));
  answers.pairs.lost = 1;
  EXPECT_THAT(PairsText(answers), Not(HasSubstr("no live other end")));
}

TEST(PairsReportTest, TheJsonHasEveryHalf) {
  FleetAnswers answers = Answers({Half("web-1:10061")});
  answers.silent = {{"web-9:10061", "it has another key"}};
  const auto json = nlohmann::json::parse(PairsJson(answers));
  EXPECT_EQ(json["hosts"], 3);
  EXPECT_EQ(json["hosts_not_known"][0]["host"], "web-9:10061");
  const auto& half = json["abandoned_halves"][0];
  EXPECT_EQ(half["server"], "web-1:10061");
  EXPECT_EQ(half["port"], 443);
  EXPECT_EQ(half["owner"], "unit web.service");
  EXPECT_EQ(half["age_seconds"], 90);
  EXPECT_EQ(half["cause"], "local_drop");
  EXPECT_EQ(half["made_by"], "app-1:10061");
  EXPECT_EQ(half["rule"]["chain"], "OUTPUT");
}

TEST(PairsReportTest, TheMetricsAreBoundedAndTheirSumIsExact) {
  std::vector<AbandonedHalf> halves;
  for (int i = 0; i < 60; ++i) {
    halves.push_back(Half("web-" + std::to_string(i) + ":10061"));
  }
  halves.push_back(Half("web-59:10061"));
  const std::string text = PairsMetrics(Answers(halves));
  EXPECT_THAT(text, HasSubstr("finwait_pairs_abandoned_halves{server=\"web-59:10061\",made_by=\"app-1:10061\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("finwait_pairs_abandoned_halves{server=\"other\",made_by=\"other\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("finwait_pairs_oldest_half_seconds 90\n"));
  EXPECT_THAT(text, HasSubstr("finwait_pairs_hosts{answered=\"true\"} 3\n"));
  EXPECT_THAT(PairsMetrics(Answers({})), HasSubstr("{server=\"other\",made_by=\"other\"} 0\n"));
}

}  // namespace
}  // namespace finwait::pairs
