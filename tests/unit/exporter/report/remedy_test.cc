#include "exporter/report/remedy.h"

#include <gtest/gtest.h>

namespace finwait::report {
namespace {

using firewall::Backend;
using firewall::Dialect;
using firewall::TableFamily;

diagnosis::DropSite Iptables(Backend backend, TableFamily family, const std::string& table, const std::string& chain) {
  diagnosis::DropSite place;
  place.rule = {backend, Dialect::kIptables, family, table, chain, {}, {}};
  return place;
}

diagnosis::DropSite Nft(TableFamily family, std::optional<std::uint64_t> handle) {
  diagnosis::DropSite place;
  place.rule = {Backend::kNft, Dialect::kNft, family, "fw", "out", handle, {}};
  return place;
}

std::string Temporary(const diagnosis::DropSite& place, Accepts accepts) {
  return TemporaryAcceptCommand(std::vector<Insertion>{{&place, accepts}});
}

TEST(RemedyTest, SpeaksTheLanguageOfTheToolThatMadeTheRule) {
  EXPECT_EQ(AcceptCommand(Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT"), Accepts::kInvalid),
            "iptables-nft -I OUTPUT -p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  EXPECT_EQ(AcceptCommand(Iptables(Backend::kLegacy, TableFamily::kIpv6, "mangle", "ufw6-out"), Accepts::kInvalid),
            "ip6tables-legacy -t mangle -I ufw6-out -p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  EXPECT_EQ(AcceptCommand(Nft(TableFamily::kInet, 7), Accepts::kClosing),
            "nft 'insert rule inet fw out handle 7 ct state invalid tcp flags & (fin | rst) != 0 accept'");
}

TEST(RemedyTest, APolicyOfNftComesAfterAllRulesSoTheAcceptIsAppended) {
  EXPECT_EQ(AcceptCommand(Nft(TableFamily::kIpv4, std::nullopt), Accepts::kReplies),
            "nft 'add rule ip fw out ct state new,invalid tcp flags & (fin | syn | rst | ack) != syn accept'");
}

TEST(RemedyTest, OnTheWayOutForGoodOnlyFinAndRstAreLetThrough) {
  EXPECT_EQ(AcceptCommand(Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "OUTPUT"), Accepts::kClosing),
            "for flag in FIN RST; do iptables-nft -I OUTPUT -p tcp --tcp-flags $flag $flag -m conntrack --ctstate "
            "INVALID -j ACCEPT; done");
}

TEST(RemedyTest, TheTemporaryFormTakesBackWhatItPutIn) {
  EXPECT_EQ(Temporary(Iptables(Backend::kLegacy, TableFamily::kIpv4, "filter", "INPUT"), Accepts::kReplies),
            "iptables-legacy -I INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT; sleep 130; "
            "iptables-legacy -D INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT");
  EXPECT_EQ(Temporary(Nft(TableFamily::kIpv4, 4), Accepts::kInvalid),
            "rule=$(nft -ea 'insert rule ip fw out handle 4 meta l4proto tcp ct state invalid accept' | grep -o "
            "'handle [0-9]*$'); sleep 130; nft \"delete rule ip fw out $rule\"");
}

TEST(RemedyTest, SeveralPlacesAreOpenAtTheSameTime) {
  const auto out = Iptables(Backend::kNft, TableFamily::kIpv4, "filter", "out_world");
  const auto in = Nft(TableFamily::kIpv4, 9);
  EXPECT_EQ(TemporaryAcceptCommand(std::vector<Insertion>{{&out, Accepts::kFins}, {&in, Accepts::kFins}}),
            "iptables-nft -I out_world -p tcp --tcp-flags SYN,FIN FIN -j ACCEPT; "
            "rule2=$(nft -ea 'insert rule ip fw out handle 9 tcp flags & (fin | syn) == fin accept' | grep -o "
            "'handle [0-9]*$'); sleep 130; "
            "iptables-nft -D out_world -p tcp --tcp-flags SYN,FIN FIN -j ACCEPT; nft \"delete rule ip fw out $rule2\"");
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
