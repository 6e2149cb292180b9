#include "exporter/report/advice.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <set>

namespace finwait::report {
namespace {

using firewall::Backend;
using firewall::Dialect;
using firewall::Hook;
using firewall::TableFamily;
using std::chrono::seconds;

AffectedSite LossAt(bool inbound, std::uint64_t stuck, std::uint64_t at_risk) {
  AffectedSite loss;
  loss.site.rule = {
      Backend::kNft, Dialect::kIptables, TableFamily::kIpv4, "filter", inbound ? "INPUT" : "OUTPUT", 7, {}};
  loss.site.hook = inbound ? Hook::kInput : Hook::kOutput;
  loss.site.rule_text = "-A OUTPUT -m conntrack --ctstate INVALID -j DROP";
  loss.inbound = inbound;
  loss.general = true;
  loss.stuck = stuck;
  loss.at_risk = at_risk;
  return loss;
}

sources::SysctlSample Sysctls(seconds established, seconds keepalive, std::uint64_t loose = 1) {
  sources::SysctlSample sysctl;
  for (auto& timeout : sysctl.conntrack_tcp_timeouts) {
    timeout = seconds(60);
  }
  sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] = established;
  sysctl.tcp_keepalive_time = keepalive;
  sysctl.conntrack_tcp_loose = loose;
  sysctl.conntrack_tcp_be_liberal = 0;
  return sysctl;
}

struct Case {
  const char* name;
  Situation situation;
  std::vector<std::string> advised;  // in this order
  std::set<std::string> warned_of;
  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }
};

Situation Of(std::vector<AffectedSite> losses, const sources::SysctlSample& sysctl) {
  Situation situation;
  situation.losses = std::move(losses);
  for (const AffectedSite& loss : situation.losses) {
    situation.stuck += loss.stuck;
    situation.at_risk += loss.at_risk;
  }
  situation.open_both_ways = situation.stuck + situation.at_risk;
  situation.sysctl = sysctl;
  return situation;
}

std::vector<Case> Cases() {
  const sources::SysctlSample defaults = Sysctls(seconds(432'000), seconds(7200));
  const sources::SysctlSample shortened = Sysctls(seconds(600), seconds(7200));
  std::vector<Case> cases;
  cases.push_back({"nothing_wrong", Of({}, defaults), {}, {}});
  cases.push_back({"latent_egress_drop",
                   Of({LossAt(false, 0, 0)}, defaults),
                   {"accept_closing", "keepalive"},
                   {"be_liberal", "reject"}});
  cases.push_back({"latent_egress_drop_with_a_short_timeout",
                   Of({LossAt(false, 0, 0)}, shortened),
                   {"accept_closing", "raise_established_timeout", "keepalive"},
                   {"be_liberal", "reject"}});
  cases.push_back({"exposed_by_an_egress_drop",
                   Of({LossAt(false, 0, 5)}, shortened),
                   {"accept_closing", "raise_established_timeout", "keepalive"},
                   {"be_liberal", "reject", "raise_timeout_now", "ss_kill"}});
  cases.push_back({"failing_by_an_egress_drop",
                   Of({LossAt(false, 5, 0)}, shortened),
                   {"finish_stuck", "accept_closing", "raise_established_timeout", "keepalive"},
                   {"be_liberal", "reject", "raise_timeout_now", "ss_kill", "fin_timeout"}});
  cases.push_back({"failing_by_an_ingress_drop",
                   Of({LossAt(true, 5, 0)}, shortened),
                   {"finish_stuck_replies", "accept_replies", "raise_established_timeout", "keepalive"},
                   {"be_liberal", "accept_invalid_input", "raise_timeout_now", "fin_timeout"}});
  Situation strict = Of({LossAt(true, 0, 1)}, Sysctls(seconds(600), seconds(7200), 0));
  cases.push_back({"with_tcp_loose_off_accepting_invalid_helps",
                   strict,
                   {"accept_replies", "raise_established_timeout", "keepalive"},
                   {"be_liberal", "raise_timeout_now"}});
  Situation nat = Of({}, shortened);
  nat.at_risk = nat.nat_at_risk = nat.open_both_ways = 3;
  cases.push_back({"exposed_by_nat",
                   nat,
                   {"keep_nat_entries", "raise_established_timeout", "keepalive"},
                   {"accept_invalid_nat", "raise_timeout_now", "ss_kill"}});
  Situation half_closed = Of({LossAt(false, 2, 0)}, defaults);
  half_closed.peer_closed = 2;
  half_closed.open_both_ways = 0;
  cases.push_back({"stuck_in_last_ack",
                   half_closed,
                   {"finish_stuck", "accept_closing", "close_in_time", "raise_close_wait_timeout"},
                   {"be_liberal", "reject", "raise_timeout_now", "established_timeout", "fin_timeout", "ss_kill"}});
  Situation resets = Of({LossAt(false, 0, 0)}, defaults);
  resets.resets_lost = 4;
  cases.push_back({"resets_lost", resets, {"accept_closing", "keepalive"}, {"be_liberal", "reject", "repeat_reset"}});
  Situation blind = Of({LossAt(false, 0, 0)}, {});
  blind.sysctl.reset();
  cases.push_back({"settings_unreadable", blind, {"accept_closing"}, {"be_liberal", "reject"}});
  return cases;
}

class AdviceTest : public testing::TestWithParam<Case> {};

TEST_P(AdviceTest, FitsTheSituation) {
  std::vector<std::string> advised;
  for (const Statement& one : WhatToDo(GetParam().situation)) {
    advised.push_back(one.id);
    EXPECT_TRUE(one.text.ends_with(".")) << one.text;
    EXPECT_EQ(one.text.find("  "), std::string::npos) << one.text;
  }
  EXPECT_EQ(advised, GetParam().advised);
  std::set<std::string> warned_of;
  for (const Statement& one : WhatWillNotHelp(GetParam().situation)) {
    EXPECT_TRUE(warned_of.insert(one.id).second) << one.id << " is there twice";
    EXPECT_EQ(one.command, "") << "nobody is to type what does not help";
  }
  EXPECT_EQ(warned_of, GetParam().warned_of);
}

INSTANTIATE_TEST_SUITE_P(Situations, AdviceTest, testing::ValuesIn(Cases()),
                         [](const auto& one) { return std::string(one.param.name); });

std::string TextOf(const std::vector<Statement>& statements, const std::string& id) {
  for (const Statement& one : statements) {
    if (one.id == id) {
      return one.text + " $ " + one.command;
    }
  }
  return "";
}

TEST(AdviceWordsTest, RulesOfOneIptablesChainAreOnePieceOfAdviceThatNamesThem) {
  AffectedSite first = LossAt(false, 0, 5);
  AffectedSite second = first;
  second.site.rule.handle = 8;
  std::vector<std::string> accepts;
  for (const Statement& one : WhatToDo(Of({first, second}, Sysctls(seconds(600), seconds(7200))))) {
    if (one.id == "accept_closing") {
      accepts.push_back(one.text);
    }
  }
  ASSERT_EQ(accepts.size(), 1U);
  EXPECT_NE(accepts[0].find("handle 7, and before the rule in "), std::string::npos) << accepts[0];
  EXPECT_NE(accepts[0].find("handle 8; they only"), std::string::npos) << accepts[0];
}

std::vector<std::string> CommandsOf(const std::vector<Statement>& statements) {
  std::vector<std::string> commands;
  for (const Statement& one : statements) {
    if (one.id.starts_with("accept_")) {
      commands.push_back(one.command);
    }
  }
  return commands;
}

TEST(AdviceWordsTest, ForGoodTheAcceptStandsBehindWhatTheChainDropsBefore) {
  AffectedSite far = LossAt(true, 0, 5);
  far.site.position = 6;
  AffectedSite near = far;
  near.site.rule.handle = 8;
  near.site.position = 2;  // 1 may be a blocklist
  const auto commands = CommandsOf(WhatToDo(Of({far, near}, Sysctls(seconds(600), seconds(7200)))));
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_TRUE(commands[0].starts_with("iptables-nft -I INPUT 2 ")) << commands[0];
}

TEST(AdviceWordsTest, TheLastRuleOfAChainComesFirstSoThatNoneMoves) {
  AffectedSite near = LossAt(false, 0, 5);
  near.site.position = 2;
  AffectedSite far = LossAt(false, 0, 5);
  far.site.rule.handle = 8;
  far.site.position = 6;
  far.with_entry = true;
  const auto commands = CommandsOf(WhatToDo(Of({near, far}, Sysctls(seconds(600), seconds(7200)))));
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_NE(commands[0].find("-I OUTPUT 6 "), std::string::npos) << commands[0];
  EXPECT_NE(commands[1].find("-I OUTPUT 2 "), std::string::npos) << commands[1];
}

TEST(AdviceWordsTest, WhereNoAcceptHelpsNoneIsAdvisedForTheStuckEither) {
  AffectedSite loss = LossAt(true, 5, 0);
  EXPECT_NE(TextOf(WhatToDo(Of({loss}, Sysctls(seconds(600), seconds(7200)))), "finish_stuck_replies"), "");
  loss.answers_with_entry = true;
  loss.helps = false;
  const auto advice = WhatToDo(Of({loss}, Sysctls(seconds(600), seconds(7200))));
  EXPECT_EQ(TextOf(advice, "finish_stuck_replies"), "");
  EXPECT_NE(TextOf(advice, "change_rule"), "");
}

TEST(AdviceWordsTest, SayThatTheOtherDirectionComesThroughTheChainToo) {
  AffectedSite loss = LossAt(false, 0, 5);
  const auto text = [&] {
    return TextOf(WhatToDo(Of({loss}, Sysctls(seconds(600), seconds(7200)))), "accept_closing");
  };
  EXPECT_EQ(text().find("come through this chain"), std::string::npos) << text();
  loss.hooks = {Hook::kInput, Hook::kOutput};
  EXPECT_NE(text().find("Packets at input come through this chain, too"), std::string::npos) << text();
}

TEST(AdviceWordsTest, WhoMayNotSeeRulesGetsACommandWithoutTheirText) {
  AffectedSite loss = LossAt(false, 5, 0);
  loss.site.position = 1;
  loss.site.matches = "-d 192.0.2.7/32 -m tcp --dport 9000";
  const auto advice = WhatToDo(Of({loss}, Sysctls(seconds(600), seconds(7200))));
  const Statement& now = advice.front();
  EXPECT_NE(now.Command(true).find("192.0.2.7"), std::string::npos) << now.Command(true);
  EXPECT_EQ(now.Command(false).find("192.0.2.7"), std::string::npos) << now.Command(false);
  EXPECT_NE(now.Command(false).find("-I OUTPUT 1 -p tcp -m conntrack"), std::string::npos) << now.Command(false);
  EXPECT_EQ(now.Text(true), now.text);
  EXPECT_EQ(now.Text(false), now.text +
                                 " This command lets also those of later rules there finish; `finwait_exporter check` "
                                 "on the host gives the exact one.");
  EXPECT_EQ(advice.back().Text(false), advice.back().text) << "of a command that is as exact without the rule's text";
}

TEST(AdviceWordsTest, NameTheSettingItsValueAndWhatToMakeOfIt) {
  const auto advice = WhatToDo(Of({LossAt(false, 0, 5)}, Sysctls(seconds(600), seconds(9000))));
  const std::string raise = TextOf(advice, "raise_established_timeout");
  EXPECT_NE(raise.find("nf_conntrack_tcp_timeout_established = 600"), std::string::npos) << raise;
  EXPECT_NE(raise.find("7440"), std::string::npos) << raise;
  EXPECT_NE(raise.find("$ sysctl -w net.netfilter.nf_conntrack_tcp_timeout_established=9240"), std::string::npos)
      << "longer than the keepalive of 9000 s: " << raise;
  const std::string keepalive = TextOf(advice, "keepalive");
  EXPECT_NE(keepalive.find("tcp_keepalive_time = 9000"), std::string::npos) << keepalive;
  EXPECT_NE(keepalive.find("TCP_KEEPIDLE below 600 s"), std::string::npos) << keepalive;
}

TEST(AdviceWordsTest, NameThePlaceOfTheRule) {
  const std::string accept =
      TextOf(WhatToDo(Of({LossAt(false, 0, 5)}, Sysctls(seconds(600), seconds(7200)))), "accept_closing");
  EXPECT_NE(accept.find("iptables-nft table filter, chain OUTPUT, handle 7"), std::string::npos) << accept;
}

TEST(AdviceWordsTest, DoNotPraiseDropWhereTheRuleRejects) {
  AffectedSite loss = LossAt(false, 0, 5);
  loss.site.rejects = true;
  const std::string reject = TextOf(WhatWillNotHelp(Of({loss}, Sysctls(seconds(600), seconds(7200)))), "reject");
  EXPECT_TRUE(reject.starts_with("DROP in place of REJECT")) << reject;
}

TEST(AdviceWordsTest, GiveAdviceForEachOfFortyPlacesAndCountWhatIsBeyondTheBound) {
  std::vector<AffectedSite> losses;
  const auto number_of = [&](const std::string& id) {
    const auto all = WhatToDo(Of(losses, Sysctls(seconds(600), seconds(7200))));
    return std::count_if(all.begin(), all.end(), [&](const Statement& one) { return one.id == id; });
  };
  for (std::uint64_t i = 0; i < 40; ++i) {
    losses.push_back(LossAt(false, 1, 0));
    losses.back().site.rule.handle = i;
    losses.back().site.rule.chain = "to-" + std::to_string(i);
  }
  EXPECT_EQ(number_of("finish_stuck"), 40);
  EXPECT_EQ(number_of("accept_closing"), 40);
  EXPECT_EQ(number_of("more_places"), 0);
  losses.resize(100, losses.back());
  EXPECT_EQ(number_of("finish_stuck"), 64);
  EXPECT_EQ(number_of("more_places"), 1);
}

}  // namespace
}  // namespace finwait::report
