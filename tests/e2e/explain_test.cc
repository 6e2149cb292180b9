// `finwait_exporter explain LOCAL PEER`: what it prints, and how it exits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

constexpr const char* kPackets[] = {"fin", "rst", "data", "ack", "peer_fin"};

class ExplainTest : public testing::Test {
 protected:
  lab::CommandOutput Explain(const std::string& local, const std::string& peer,
                             const std::string& format = "--format=json") const {
    return wire_.local.Command({lab::Program(), "explain", local, peer, format});
  }
  /// The answer about a connection that need not exist, and its exit code.
  Json Ask(const std::string& local, const std::string& peer, int exit_code) const {
    const lab::CommandOutput output = Explain(local, peer);
    EXPECT_EQ(output.exit_code, exit_code) << output.out << output.err;
    EXPECT_EQ(output.err, "");
    return Json::parse(output.out);
  }
  Json AskFour(int exit_code) const { return Ask("192.0.2.1:1234", "192.0.2.2:80", exit_code); }
  Json AskSix(int exit_code) const { return Ask("[2001:db8::1]:1234", "[2001:db8::2]:80", exit_code); }

  /// The handle of the last rule in an nft chain.
  std::string HandleIn(const std::string& chain) const {
    const std::string text = wire_.local.Shell("nft -a list chain " + chain);
    const std::size_t at = text.rfind(" # handle ") + 10;
    return text.substr(at, text.find('\n', at) - at);
  }

  lab::Wire wire_;
};

TEST_F(ExplainTest, EveryPacketHasEveryField) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  for (const Json& json : {AskFour(1), AskSix(0)}) {
    EXPECT_EQ(json["tracked"], false);
    for (const char* packet : kPackets) {
      for (const char* field : {"verdict", "state", "hook", "backend", "family", "table", "chain", "text", "reason"}) {
        EXPECT_TRUE(json[packet].contains(field)) << packet << " " << field;
      }
    }
  }
}

// Stateless NAT: rules write addresses into packets without conntrack. What is on the wire is not what the socket has.
TEST_F(ExplainTest, AnswersComeBackToTheEndsThatRulesWrite) {
  const std::string there = "203.0.113.5";
  wire_.local.Shell(
      "ip route add 203.0.113.5 via 192.0.2.2; nft 'table ip s {"
      " chain o { type filter hook output priority -350; ip daddr 203.0.113.5 ip daddr set 192.0.2.2 notrack; };"
      " chain p { type filter hook prerouting priority -350; ip saddr 192.0.2.2 ip saddr set 203.0.113.5 notrack; }; "
      "}'");
  const lab::Listener listener(wire_.peer, "192.0.2.2", 80);
  UniqueFd client = lab::Connect(wire_.local, there, 80);
  const UniqueFd server = listener.Accept();
  const std::string local = lab::LocalEndpoint(client);
  EXPECT_EQ(Ask(local, there + ":80", 0)["fate"], "clean");

  wire_.local.Shell(
      "nft 'table ip e { chain p { type filter hook prerouting priority -300; ip saddr 192.0.2.2 drop; }; }'");
  EXPECT_EQ(Ask(local, there + ":80", 0)["fate"], "clean") << "they are turned back before that rule";
  wire_.local.Shell(
      "nft 'table ip d { chain p { type filter hook prerouting priority -400; ip saddr 192.0.2.2 drop; }; }'");
  const Json dropped = Ask(local, there + ":80", 1);
  EXPECT_EQ(dropped["fate"], "ack_dropped") << dropped;
  EXPECT_EQ(dropped["ack"]["table"], "d");

  client.Reset();
  EXPECT_TRUE(
      lab::Eventually([&] { return wire_.local.Shell("ss -Htn state fin-wait-1").find(local) != std::string::npos; }));
  wire_.local.Shell("nft delete table ip d; nft flush chain ip s p");
  const Json untranslated = Ask(local, there + ":80", 1);
  EXPECT_EQ(untranslated["fate"], "ack_dropped") << "nothing turns the answers back: " << untranslated;
}

TEST_F(ExplainTest, ARuleOfNftablesIsNamedByItsHandle) {
  wire_.local.Shell(
      "nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }; "
      "add rule inet t o tcp dport 80 ct state invalid counter drop'");
  for (const Json& json : {AskFour(1), AskSix(1)}) {
    EXPECT_EQ(json["fate"], "fin_dropped");
    const Json& fin = json["fin"];
    EXPECT_EQ(fin["verdict"], "drop");
    EXPECT_EQ(fin["state"], "INVALID");
    EXPECT_EQ(fin["hook"], "output");
    EXPECT_EQ(fin["backend"], "nft");
    EXPECT_EQ(fin["family"], "inet");
    EXPECT_EQ(fin["table"], "t");
    EXPECT_EQ(fin["chain"], "o");
    const std::string handle = " # handle " + std::to_string(fin["handle"].get<std::uint64_t>()) + "\n";
    EXPECT_THAT(wire_.local.Shell("nft -sa list chain inet t o"), HasSubstr(fin["text"].get<std::string>() + handle));
    EXPECT_FALSE(fin.contains("rule_index"));
  }
}

TEST_F(ExplainTest, ALegacyRuleIsNamedByItsNumber) {
  wire_.local.Shell(
      "ip6tables-legacy -A OUTPUT -p udp -j ACCEPT; ip6tables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Json answer = AskSix(1);
  const Json& fin = answer["fin"];
  EXPECT_EQ(fin["backend"], "legacy");
  EXPECT_EQ(fin["family"], "ip6");
  EXPECT_EQ(fin["rule_index"], 2);
  EXPECT_FALSE(fin.contains("handle"));
  EXPECT_THAT(wire_.local.Shell("ip6tables-legacy -S OUTPUT"), HasSubstr(fin["text"].get<std::string>() + "\n"));
  EXPECT_EQ(AskFour(0)["fate"], "clean");
}

TEST_F(ExplainTest, APolicyIsNamedAsItsToolPrintsIt) {
  wire_.local.Shell(
      "iptables -P INPUT DROP; iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; "
      "nft 'add table ip6 t; add chain ip6 t i { type filter hook input priority 0; policy drop; }'");
  const Json four = AskFour(1);
  EXPECT_EQ(four["fate"], "ack_dropped");
  EXPECT_EQ(four["ack"]["state"], "NEW");
  EXPECT_EQ(four["ack"]["text"], "-P INPUT DROP");
  EXPECT_THAT(wire_.local.Shell("iptables -S INPUT"), HasSubstr("-P INPUT DROP\n"));
  EXPECT_FALSE(four["ack"].contains("handle"));
  const Json six = AskSix(1);
  EXPECT_EQ(six["ack"]["text"], "policy drop");
  EXPECT_THAT(wire_.local.Shell("nft list chain ip6 t i"), HasSubstr("policy drop;"));
}

TEST_F(ExplainTest, ARejectOnTheWayOutCountsAsDropped) {
  wire_.local.Shell("iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset");
  const Json json = AskFour(1);
  EXPECT_EQ(json["fin"]["verdict"], "reject");
  EXPECT_EQ(json["fate"], "fin_dropped");
}

TEST_F(ExplainTest, WhatHangsOnChanceIsUnknownWithItsReasonAndExitsWith3) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -m limit --limit 1/hour -j DROP");
  const Json json = AskFour(3);
  EXPECT_EQ(json["fate"], "unknown");
  EXPECT_EQ(json["fin"]["verdict"], "unknown");
  EXPECT_EQ(json["fin"]["reason"], "a rate limit");
  EXPECT_EQ(json["fin"]["chain"], "OUTPUT");
}

TEST_F(ExplainTest, WithoutRulesNothingIsTrackedAndEverythingPasses) {
  const Json json = AskFour(0);
  EXPECT_EQ(json["fate"], "clean");
  for (const char* packet : kPackets) {
    EXPECT_EQ(json[packet]["verdict"], "accept");
    EXPECT_EQ(json[packet]["state"], nullptr);
    EXPECT_EQ(json[packet]["table"], nullptr);
  }
}

TEST_F(ExplainTest, OwnerAndMarkAreThoseOfTheSocket) {
  wire_.local.Shell(
      "iptables -A OUTPUT -m owner --uid-owner 4242 -m conntrack --ctstate INVALID -j DROP; "
      "iptables -A OUTPUT -m mark --mark 7 -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 80);
  const UniqueFd client = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  const std::string local = lab::LocalEndpoint(client);
  wire_.local.Command({"conntrack", "-F"});
  EXPECT_EQ(Ask(local, "192.0.2.2:80", 0)["fate"], "clean");
  const int mark = 7;
  ASSERT_EQ(::setsockopt(client.Get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
  EXPECT_EQ(Ask(local, "192.0.2.2:80", 1)["fate"], "fin_dropped");
  // Of a connection that is not there, neither is known.
  EXPECT_EQ(AskFour(3)["fate"], "unknown");
}

TEST_F(ExplainTest, TheTextNamesFatePacketsRulesAndReasons) {
  wire_.local.Shell(
      "iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP; "
      "nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }; "
      "add rule inet t i ct state invalid reject'");
  const std::string one = HandleIn("ip filter OUTPUT");
  const std::string other = HandleIn("inet t i");
  const lab::CommandOutput output = Explain("192.0.2.1:1234", "192.0.2.2:80", "--format=text");
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_EQ(output.out,
            "NOT CLEAN (fin_dropped): once its conntrack entry is gone, its FIN never leaves this host: the socket "
            "sticks and the peer stays connected.\n"
            "It has no entry now. Its local end is on this host.\n\n"
            "  fin       drop as INVALID at output by iptables-nft table filter, chain OUTPUT, handle " +
                one +
                "\n"
                "            -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP\n"
                "  rst       drop as INVALID at output by iptables-nft table filter, chain OUTPUT, handle " +
                one +
                "\n"
                "            -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP\n"
                "  data      accept as NEW at output\n"
                "  ack       accept as NEW at input\n"
                "  peer_fin  reject as INVALID at input by nft table inet t, chain i, handle " +
                other +
                "\n"
                "            ct state invalid reject\n");
}

TEST_F(ExplainTest, EndsInTheWrongOrderAreToldApart) {
  const lab::CommandOutput output = Explain("192.0.2.2:80", "192.0.2.1:1234");
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(output.out, "");
  EXPECT_EQ(output.err,
            "finwait_exporter explain: LOCAL, 192.0.2.2, is not an address of this host, but PEER, 192.0.2.1, is: give "
            "this host's end first\n");
}

TEST_F(ExplainTest, AConnectionOfOthersIsEvaluatedAsForwarded) {
  wire_.local.Shell("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  const Json json = Ask("198.51.100.7:1234", "198.51.100.8:80", 1);
  EXPECT_EQ(json["journey"], "forwarded");
  EXPECT_EQ(json["fin"]["hook"], "forward");
}

// A pod behind this host, which forwards its packets to the peer.
class ExplainForwardedTest : public ExplainTest {
 protected:
  ExplainForwardedTest() {
    wire_.local.Sysctl("net.ipv4.ip_forward", "1");
    wire_.local.Shell("ip link add cali0 type veth peer name eth0 netns " + pod_.Path() +
                      "; ip link set cali0 up; ip address add 198.51.100.1/24 dev cali0");
    pod_.Shell("ip link set eth0 up; ip address add 198.51.100.2/24 dev eth0; ip route add default via 198.51.100.1");
    wire_.peer.Shell("ip route add 198.51.100.0/24 via 192.0.2.1");
  }
  lab::Namespace pod_;
};

TEST_F(ExplainForwardedTest, TheHopsNameTheRuleOnTheWayThrough) {
  wire_.local.Shell("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  const Json json = Ask("198.51.100.2:1234", "192.0.2.2:80", 1);
  EXPECT_EQ(json["fate"], "fin_dropped");
  EXPECT_EQ(json["journey"], "forwarded");
  ASSERT_EQ(json["hops"].size(), 2U);
  EXPECT_EQ(json["hops"][0]["namespace"], "local");
  EXPECT_TRUE(json["hops"][0]["fin"].is_null()) << "the pod's own rules are not read";
  EXPECT_EQ(json["hops"][1]["namespace"], "host");
  EXPECT_EQ(json["hops"][1]["passage"], "forward");
  EXPECT_EQ(json["hops"][1]["fin"], json["fin"]);
  EXPECT_EQ(json["fin"]["text"], "-A FORWARD -m conntrack --ctstate INVALID -j DROP");
  const lab::CommandOutput text = Explain("198.51.100.2:1234", "192.0.2.2:80", "--format=text");
  EXPECT_NE(text.out.find("through this host: forward."), std::string::npos) << text.out;
}

TEST_F(ExplainForwardedTest, ATranslationThatItsEntryShowsIsLostWithIt) {
  wire_.local.Shell("iptables -t nat -A POSTROUTING -o veth0 -j MASQUERADE");
  const lab::Listener listener(wire_.peer, "192.0.2.2", 80);
  const UniqueFd open = lab::Connect(pod_, "192.0.2.2", 80);
  const Json json = Ask(lab::LocalEndpoint(open), "192.0.2.2:80", 1);
  EXPECT_EQ(json["tracked"], true);
  EXPECT_EQ(json["fate"], "nat_lost");
  EXPECT_EQ(json["ack"]["verdict"], "drop");
  EXPECT_NE(json["ack"]["reason"].get<std::string>().find("nothing translates it back"), std::string::npos);
}

TEST_F(ExplainForwardedTest, OfOneThatNobodySawTrackedTheNatChainsTellByTheClientsPort) {
  wire_.local.Shell("iptables -t nat -A POSTROUTING -o veth0 -j MASQUERADE");
  const Json json = Ask("198.51.100.2:40000", "192.0.2.2:80", 1);
  EXPECT_EQ(json["fate"], "nat_lost");
  EXPECT_EQ(json["taken_to_be_opened_by"], "local");
  const Json inbound = Ask("198.51.100.2:80", "192.0.2.2:40000", 1);
  EXPECT_EQ(inbound["taken_to_be_opened_by"], "peer");
  EXPECT_EQ(inbound["fate"], "peer_fin_dropped") << "its ACK of the peer's FIN would be masqueraded";
  const Json either = Ask("198.51.100.2:4000", "192.0.2.2:80", 3);
  EXPECT_TRUE(either["taken_to_be_opened_by"].is_null());
  EXPECT_NE(either["reason"].get<std::string>().find("which end opened the connection"), std::string::npos);
}

TEST_F(ExplainForwardedTest, OneEndOfThisHostsOwnHasNoHops) {
  EXPECT_FALSE(Ask("192.0.2.1:1234", "192.0.2.2:80", 0).contains("hops"));
}

}  // namespace
}  // namespace finwait::e2e
