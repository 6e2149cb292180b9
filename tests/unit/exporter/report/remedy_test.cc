#include "exporter/report/remedy.h"

#include <gtest/gtest.h>

namespace finwait::report {
namespace {

using firewall::Backend;
using firewall::Dialect;
using firewall::TableFamily;

diagnosis::DropSite Iptables(Backend backend, TableFamily family, const std::string& table, const std::string& chain) {
  diagnosis::DropSite site;
  site.rule = {backend, Dialect::kIptables, family, table, chain, {}, {}};
  return site;
}

diagnosis::DropSite Nft(TableFamily family, std::optional<std::uint64_t> handle) {
  diagnosis::DropSite site;
  site.rule = {Backend::kNft, Dialect::kNft, family, "fw", "out", handle, {}};
  return site;
}

std::string Temporary(const diagnosis::DropSite& site, Accepts accepts) {
  return TemporaryAcceptCommand(std::vector<Insertion>{{&site, accepts}});
}

diagnosis::DropSite RuleOf(diagnosis::DropSite site, std::uint32_t position) {
  site.rule.handle = 100 + position;
  site.position = position;
  return site;
}

TEST(RemedyTest, SpeaksTheLanguageOfTheToolThatMadeTheRule) {
  EXPECT_EQ(
      AcceptCommand(RuleOf(Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT"), 1), Accepts::kInvalid),
      "iptables-nft -I OUTPUT 1 -p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  EXPECT_EQ(
      AcceptCommand(RuleOf(Iptables(Backend::kLegacy, TableFamily::kIpv6, "mangle", "ufw6-out"), 3), Accepts::kInvalid),
      "ip6tables-legacy -t mangle -I ufw6-out 3 -p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  EXPECT_EQ(AcceptCommand(Nft(TableFamily::kInet, 7), Accepts::kClosing),
            "nft 'insert rule inet fw out handle 7 ct state invalid tcp flags & (fin | rst) != 0 accept'");
}

TEST(RemedyTest, APolicyComesAfterAllRulesSoTheAcceptIsAppended) {
  EXPECT_EQ(AcceptCommand(Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "INPUT"), Accepts::kReplies),
            "iptables-nft -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT");
  EXPECT_EQ(AcceptCommand(Nft(TableFamily::kIpv4, std::nullopt), Accepts::kReplies),
            "nft 'add rule ip fw out ct state new,invalid tcp flags & (fin | syn | rst | ack) != syn accept'");
}

TEST(RemedyTest, OnTheWayOutForGoodOnlyFinAndRstAreLetThrough) {
  EXPECT_EQ(
      AcceptCommand(RuleOf(Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT"), 2), Accepts::kClosing),
      "for flag in FIN RST; do iptables-nft -I OUTPUT 2 -p tcp --tcp-flags $flag $flag -m conntrack --ctstate "
      "INVALID -j ACCEPT; done");
}

TEST(RemedyTest, TheTemporaryFormTakesBackWhatItPutIn) {
  EXPECT_EQ(Temporary(Iptables(Backend::kLegacy, TableFamily::kIpv4, "filter", "INPUT"), Accepts::kReplies),
            "iptables-legacy -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT; sleep 130; "
            "iptables-legacy -D INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT");
  EXPECT_EQ(Temporary(Nft(TableFamily::kIpv4, 4), Accepts::kInvalid),
            "rule=$(nft -ea 'insert rule ip fw out handle 4 meta l4proto tcp ct state invalid accept' | grep -o "
            "'handle [0-9]*$'); sleep 130; nft \"delete rule ip fw out $rule\"");
}

TEST(RemedyTest, SeveralPlacesAreOpenAtTheSameTime) {
  auto out = Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "out_world");
  out.rule.handle = 3;
  out.position = 1;
  const auto in = Nft(TableFamily::kIpv4, 9);
  EXPECT_EQ(TemporaryAcceptCommand(std::vector<Insertion>{{&out, Accepts::kFins}, {&in, Accepts::kFins}}),
            "iptables-nft -I out_world 1 -p tcp --tcp-flags SYN,FIN FIN -j ACCEPT; "
            "rule2=$(nft -ea 'insert rule ip fw out handle 9 tcp flags & (fin | syn) == fin accept' | grep -o "
            "'handle [0-9]*$'); sleep 130; "
            "iptables-nft -D out_world -p tcp --tcp-flags SYN,FIN FIN -j ACCEPT; nft \"delete rule ip fw out $rule2\"");
}

TEST(RemedyTest, TheTemporaryFormIsForTheRulesOwnConnections) {
  auto iptables = Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT");
  iptables.rule.handle = 9;
  iptables.position = 4;
  iptables.matches = "-o eth0 -m tcp --dport 9000";
  EXPECT_EQ(
      Temporary(iptables, Accepts::kReplies),
      "iptables-nft -I OUTPUT 4 -p tcp -o eth0 -m tcp --dport 9000 ! --syn -m conntrack --ctstate NEW,INVALID -j "
      "ACCEPT; sleep 130; iptables-nft -D OUTPUT -p tcp -o eth0 -m tcp --dport 9000 ! --syn -m conntrack --ctstate "
      "NEW,INVALID -j ACCEPT");
  EXPECT_EQ(AcceptCommand(iptables, Accepts::kInvalid),
            "iptables-nft -I OUTPUT 4 -p tcp -m conntrack --ctstate INVALID -j ACCEPT")
      << "for good it is for all";
  EXPECT_EQ(
      TemporaryAcceptCommand(std::vector<Insertion>{{&iptables, Accepts::kInvalid}}, AcceptFor::kAllConnections),
      "iptables-nft -I OUTPUT 4 -p tcp -m conntrack --ctstate INVALID -j ACCEPT; sleep 130; iptables-nft -D OUTPUT "
      "-p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  auto nft = Nft(TableFamily::kInet, 7);
  nft.matches = "tcp dport { 9000, 9001 }";
  EXPECT_EQ(
      Temporary(nft, Accepts::kInvalid),
      "rule=$(nft -ea 'insert rule inet fw out handle 7 tcp dport { 9000, 9001 } ct state invalid accept' | grep -o "
      "'handle [0-9]*$'); sleep 130; nft \"delete rule inet fw out $rule\"");
  nft.matches = "oifname \"eth0\"";
  EXPECT_NE(Temporary(nft, Accepts::kInvalid).find("7 oifname \"eth0\" meta l4proto tcp ct state invalid accept"),
            std::string::npos);
}

TEST(RemedyTest, WhatIsInsertedBeforeMovesARuleDown) {
  auto first = Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT");
  first.rule.handle = 8;
  first.position = 2;
  auto second = first;
  second.position = 5;
  const std::string command =
      TemporaryAcceptCommand(std::vector<Insertion>{{&first, Accepts::kInvalid}, {&second, Accepts::kReplies}});
  EXPECT_NE(command.find("-I OUTPUT 2 "), std::string::npos) << command;
  EXPECT_NE(command.find("-I OUTPUT 6 "), std::string::npos) << command;
}

TEST(RemedyTest, WhereRulesReturnToAPolicyTheAcceptStandsAtTheTop) {
  auto iptables = Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT");
  iptables.returned_to = true;
  EXPECT_TRUE(Temporary(iptables, Accepts::kInvalid).starts_with("iptables-nft -I OUTPUT -p tcp "));
  auto nft = Nft(TableFamily::kIpv4, std::nullopt);
  nft.returned_to = true;
  EXPECT_TRUE(AcceptCommand(nft, Accepts::kInvalid).starts_with("nft 'insert rule ip fw out meta"));
}

TEST(RemedyTest, GivesNoCommandForANameThatAShellCouldTakeForMore) {
  for (const char* chain : {"out; reboot", "$(id)", "a'b", "-x", "", "a b", "a\nb"}) {
    EXPECT_EQ(AcceptCommand(Iptables(Backend::kNft, TableFamily::kIpv4, "filter", chain), Accepts::kInvalid), "");
    EXPECT_EQ(Temporary(Iptables(Backend::kNft, TableFamily::kIpv4, chain, "OUTPUT"), Accepts::kInvalid), "");
  }
}

TEST(RemedyTest, ASysctlIsWrittenInFull) {
  EXPECT_EQ(SysctlCommand("net.ipv4.tcp_keepalive_time", 600), "sysctl -w net.ipv4.tcp_keepalive_time=600");
}

}  // namespace
}  // namespace finwait::report
