// `finwait_exporter explain --all`: what it prints, how it exits, and that `explain` says the same of its examples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/recording/case.h"

namespace finwait::e2e {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class ExplainAllTest : public testing::Test {
 protected:
  lab::CommandOutput Explain(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {lab::Program(), "explain"});
    return wire_.local.Command(arguments, "", 60);
  }
  Json All(int exit_code, const std::string& family = "") const {
    std::vector<std::string> arguments = {"--all", "--format=json"};
    if (!family.empty()) {
      arguments.push_back("--family=" + family);
    }
    const lab::CommandOutput output = Explain(arguments);
    EXPECT_EQ(output.exit_code, exit_code) << output.out << output.err;
    EXPECT_EQ(output.err, "");
    return Json::parse(output.out);
  }
  /// Holds each class's example against what `explain` says of it alone.
  void ConfirmExamples(const Json& all) const {
    for (const Json& each : all["classes"]) {
      std::vector<std::string> arguments = {each["example"]["local"], each["example"]["peer"], "--format=json"};
      for (const Json& flag : each["example"]["flags"]) {
        arguments.push_back(flag);
      }
      const lab::CommandOutput output = Explain(arguments);
      ASSERT_NE(output.out, "") << output.err;
      const Json one = Json::parse(output.out);
      if (each["fate"] != "unknown") {
        EXPECT_EQ(one["fate"], each["fate"]) << each["connections"]["text"] << one;
      }
    }
  }
  /// The classes of that fate, not over loopback.
  static std::vector<Json> OfFate(const Json& all, const std::string& fate) {
    std::vector<Json> found;
    for (const Json& each : all["classes"]) {
      if (each["fate"] == fate && each["connections"]["journey"] == "local") {
        found.push_back(each);
      }
    }
    return found;
  }

  lab::Wire wire_;
};

TEST_F(ExplainAllTest, WithoutRulesEverythingIsCleanAndExits0) {
  const Json all = All(0);
  EXPECT_EQ(all["classes"].size(), 4U) << "two families, with others and over loopback: " << all;
  EXPECT_TRUE(all["incomplete"].is_null());
  ConfirmExamples(all);
  const lab::CommandOutput text = Explain({"--all"});
  EXPECT_THAT(text.out, HasSubstr("CLEAN: "));
}

TEST_F(ExplainAllTest, ARuleForANetworkAndAPortMakesAClassOfThem) {
  wire_.local.Shell(
      "ip route add 10.0.0.0/8 via 192.0.2.2;"
      " iptables -A OUTPUT -d 10.0.0.0/8 -p tcp --dport 5432 -m conntrack --ctstate INVALID -j DROP");
  const Json all = All(1, "ipv4");
  const std::vector<Json> dropped = OfFate(all, "fin_dropped");
  ASSERT_EQ(dropped.size(), 1U) << all;
  const Json& connections = dropped[0]["connections"];
  EXPECT_EQ(connections["peer_addresses"], Json::parse(R"([{"first": "10.0.0.0", "last": "10.255.255.255"}])"));
  EXPECT_EQ(connections["peer_ports"], Json::parse(R"([{"first": 5432, "last": 5432}])"));
  EXPECT_EQ(connections["local_ports"], Json::parse(R"([{"first": 1, "last": 65535}])"));
  EXPECT_EQ(connections["devices"], Json::parse(R"(["veth0"])"));
  EXPECT_EQ(connections["opened_by"], "either");
  EXPECT_EQ(dropped[0]["rule"]["chain"], "OUTPUT");
  EXPECT_THAT(dropped[0]["rule"]["text"].get<std::string>(), HasSubstr("--dport 5432"));
  ConfirmExamples(all);
  const lab::CommandOutput text = Explain({"--all", "--family=ipv4"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.out, HasSubstr("connections: peer 10.0.0.0/8, peer port 5432"));
  EXPECT_THAT(text.out, HasSubstr("FIN dropped at output by "));
}

TEST_F(ExplainAllTest, AHostWithOneAddressIsToldApartByPort) {
  const lab::Namespace alone;  // whose only IPv6 address is ::1
  alone.Shell("nft 'table inet t { chain o { type filter hook output priority 0; tcp dport 443 drop; }; }'");
  const lab::CommandOutput output =
      alone.Command({lab::Program(), "explain", "--all", "--family=ipv6", "--format=json"});
  EXPECT_EQ(output.exit_code, 1) << output.out << output.err;
  const Json all = Json::parse(output.out);
  EXPECT_TRUE(all["incomplete"].is_null()) << all;
  EXPECT_EQ(all["classes"][0]["fate"], "fin_dropped") << all;
  EXPECT_EQ(all["classes"][0]["connections"]["peer_ports"], Json::parse(R"([{"first": 443, "last": 443}])"));
}

TEST_F(ExplainAllTest, OwnersMarksAndDevicesTellClassesApart) {
  wire_.local.Shell(
      "ip link add other type veth peer name far; ip link set other up; ip link set far up; ip address add "
      "198.51.100.1/24 dev other;"
      " nft 'table inet t { chain o { type filter hook output priority 0;"
      " meta skuid 1000 ct state invalid drop; meta mark 7 ct state invalid drop;"
      " oifname \"other\" ct state invalid drop; }; }'");
  const Json all = All(1, "ipv4");
  const std::vector<Json> dropped = OfFate(all, "fin_dropped");
  const auto has = [&](const std::string& key, const std::string& value) {
    return std::any_of(dropped.begin(), dropped.end(),
                       [&](const Json& each) { return each["connections"][key] == Json::parse(value); });
  };
  EXPECT_TRUE(has("marks", R"([{"first": 7, "last": 7}])")) << all;
  EXPECT_TRUE(has("devices", R"(["other"])")) << all;
  EXPECT_TRUE(all["incomplete"].is_null()) << all["incomplete"];
  ConfirmExamples(all);
}

TEST_F(ExplainAllTest, AnIpsetIsOneClassHoweverManyMembersItHas) {
  std::string sets = "create blocked hash:net maxelem 20000\ncreate pairs hash:ip,port\n";
  for (int i = 0; i < 10'000; ++i) {
    sets += "add blocked 10." + std::to_string(i / 100) + "." + std::to_string(i % 100) + ".0/25\n";
  }
  sets += "add pairs 192.0.2.2,5432\nadd pairs 192.0.2.3,5432\nadd pairs 192.0.2.3,6379\n";
  ASSERT_EQ(wire_.local.Command({"ipset", "restore"}, sets).exit_code, 0);
  wire_.local.Shell(
      "ip route add default via 192.0.2.2;"
      " iptables -A OUTPUT -p tcp -m set --match-set blocked dst -m conntrack --ctstate INVALID -j DROP;"
      " iptables -A OUTPUT -p tcp -m set --match-set pairs dst,dst -m conntrack --ctstate INVALID -j REJECT");
  const Json all = All(1, "ipv4");
  EXPECT_TRUE(all["incomplete"].is_null()) << all["incomplete"];
  EXPECT_TRUE(OfFate(all, "unknown").empty()) << OfFate(all, "unknown");
  const std::vector<Json> dropped = OfFate(all, "fin_dropped");
  const auto members = [&](std::size_t ranges) {
    return std::count_if(dropped.begin(), dropped.end(),
                         [&](const Json& each) { return each["connections"]["peer_addresses"].size() == ranges; });
  };
  EXPECT_EQ(members(10'000), 1) << dropped.size();
  EXPECT_GE(dropped.size(), 2U);
  ConfirmExamples(all);
}

TEST_F(ExplainAllTest, AListOfRecentAddressesIsOneClass) {
  wire_.local.Shell(
      "iptables -A OUTPUT -p tcp -m recent --name bad --rcheck --rdest --mask 255.255.255.0 -j DROP;"
      " iptables -A INPUT -p tcp -m recent --name often --rcheck --hitcount 2 -j DROP;"
      " echo +198.51.100.0 > /proc/net/xt_recent/bad; echo +203.0.113.0 > /proc/net/xt_recent/bad;"
      " echo +203.0.113.7 > /proc/net/xt_recent/bad; ip route add default via 192.0.2.2;"
      " echo +192.0.2.2 > /proc/net/xt_recent/often; echo +192.0.2.2 > /proc/net/xt_recent/often;"
      " echo +192.0.2.3 > /proc/net/xt_recent/often");
  const Json all = All(1, "ipv4");
  EXPECT_TRUE(all["incomplete"].is_null()) << all["incomplete"];
  EXPECT_TRUE(OfFate(all, "unknown").empty()) << OfFate(all, "unknown");
  const std::vector<Json> sent = OfFate(all, "fin_dropped");
  ASSERT_EQ(sent.size(), 1U) << all;
  EXPECT_EQ(sent[0]["connections"]["peer_addresses"],
            Json::parse(R"([{"first": "198.51.100.0", "last": "198.51.100.255"},
                            {"first": "203.0.113.0", "last": "203.0.113.255"}])"));
  const std::vector<Json> answered = OfFate(all, "ack_dropped");
  ASSERT_EQ(answered.size(), 1U) << all;
  EXPECT_EQ(answered[0]["connections"]["peer_addresses"],
            Json::parse(R"([{"first": "192.0.2.2", "last": "192.0.2.2"}])"));
  ConfirmExamples(all);
}

TEST_F(ExplainAllTest, WhenARecentAddressWasSeenIsUnknownOfTheseAlone) {
  wire_.local.Shell(
      "iptables -A OUTPUT -p tcp -m recent --name bad --rcheck --rdest --seconds 60 -j DROP;"
      " echo +192.0.2.9 > /proc/net/xt_recent/bad");
  const Json all = All(3, "ipv4");
  const std::vector<Json> unknown = OfFate(all, "unknown");
  ASSERT_EQ(unknown.size(), 1U) << all;
  EXPECT_EQ(unknown[0]["connections"]["peer_addresses"],
            Json::parse(R"([{"first": "192.0.2.9", "last": "192.0.2.9"}])"));
  EXPECT_EQ(OfFate(all, "clean").size(), 1U) << all;
  ConfirmExamples(all);
}

TEST_F(ExplainAllTest, ASetOfNftablesIsOneClassHoweverLongOrExpiring) {
  std::string rules =
      "table inet t {\n set blocked { type ipv4_addr; flags interval, timeout; timeout 1h; elements = { 192.0.2.9";
  for (int i = 0; i < 10'000; ++i) {
    rules += ", 10." + std::to_string(i / 100) + "." + std::to_string(i % 100) + ".0/25";
  }
  rules += " }; }\n chain o { type filter hook output priority 0; ip daddr @blocked ct state invalid drop; }\n}\n";
  ASSERT_EQ(wire_.local.Command({"nft", "-f", "-"}, rules).exit_code, 0);
  wire_.local.Shell("ip route add default via 192.0.2.2");
  const Json all = All(1, "ipv4");
  EXPECT_TRUE(all["incomplete"].is_null()) << all["incomplete"];
  const std::vector<Json> dropped = OfFate(all, "fin_dropped");
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0]["connections"]["peer_addresses"].size(), 10'001U);
  EXPECT_TRUE(OfFate(all, "unknown").empty()) << OfFate(all, "unknown");
  ConfirmExamples(all);
}

// Packets that come in fill the set, as rules against scanners do: it is told apart by what it holds now, and a close
// of either class ends as its class says.
TEST_F(ExplainAllTest, ASetThatPacketsFillIsToldApartByWhatItHolds) {
  wire_.peer.Shell("ip address add 192.0.2.4/24 dev veth0");
  wire_.local.Shell(
      "nft 'table ip t { set seen { type ipv4_addr; size 64; flags dynamic, timeout; timeout 1h; };"
      " chain i { type filter hook input priority -5; tcp dport 9 add @seen { ip saddr }; };"
      " chain o { type filter hook output priority 0; ip daddr @seen ct state invalid drop; }; }'");
  const auto fate_of_all_others = [&](int exit_code) {
    const Json all = All(exit_code, "ipv4");
    EXPECT_TRUE(all["incomplete"].is_null()) << all["incomplete"];
    EXPECT_TRUE(OfFate(all, "unknown").empty()) << OfFate(all, "unknown");
    ConfirmExamples(all);
    return OfFate(all, "fin_dropped");
  };
  EXPECT_TRUE(fate_of_all_others(0).empty()) << "it is empty";
  wire_.peer.Shell(
      "ip route add 192.0.2.1/32 dev veth0 src 192.0.2.4; bash -c 'echo > /dev/tcp/192.0.2.1/9' 2>&1 || true;"
      " ip route del 192.0.2.1/32");
  const std::vector<Json> dropped = fate_of_all_others(1);
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0]["connections"]["peer_addresses"],
            Json::parse(R"([{"first": "192.0.2.4", "last": "192.0.2.4"}])"));
  const lab::Listener seen(wire_.peer, "192.0.2.4", 80);
  const lab::Listener other(wire_.peer, "192.0.2.2", 80);
  UniqueFd to_seen = lab::Connect(wire_.local, "192.0.2.4", 80);
  UniqueFd to_other = lab::Connect(wire_.local, "192.0.2.2", 80);
  wire_.local.Command({"conntrack", "-F"});
  to_seen.Reset();
  to_other.Reset();
  const auto waits = [&](const char* state, const char* peer) {
    return !wire_.local.Shell(std::string("ss -Htn state ") + state + " dst " + peer).empty();
  };
  EXPECT_TRUE(lab::Eventually([&] { return waits("fin-wait-1", "192.0.2.4") && waits("fin-wait-2", "192.0.2.2"); }))
      << wire_.local.Shell("ss -tan");
}

TEST_F(ExplainAllTest, AnotherDeviceThatAnswersMayComeInOnLeavesBothFormsUncertain) {
  wire_.local.Shell(
      "ip link add other type veth peer name far; ip link set other up; ip link set far up; ip address add "
      "198.51.100.1/24 dev other;"
      " for d in all other veth0; do echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter; done;"
      " nft 'table inet t { chain i { type filter hook input priority 0; policy drop;"
      " ct state established accept; iifname { \"lo\", \"veth0\" } accept; }; }'");
  const Json all = All(3, "ipv4");
  const std::vector<Json> unknown = OfFate(all, "unknown");
  ASSERT_FALSE(unknown.empty()) << all;
  EXPECT_THAT(unknown[0]["reason"].get<std::string>(), HasSubstr("need not be the one that routing picks"));
  ConfirmExamples(all);
}

TEST_F(ExplainAllTest, SocketsAreCountedInTheirClassAndAreItsExample) {
  wire_.local.Shell("iptables -A OUTPUT -p tcp --dport 80 -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire_.peer, "192.0.2.2", 80);
  const UniqueFd client = lab::Connect(wire_.local, "192.0.2.2", 80);
  const UniqueFd server = listener.Accept();
  const Json all = All(1, "ipv4");
  const std::vector<Json> dropped = OfFate(all, "fin_dropped");
  ASSERT_EQ(dropped.size(), 1U) << all;
  EXPECT_EQ(dropped[0]["sockets"], 1);
  EXPECT_EQ(dropped[0]["example"]["local"], lab::LocalEndpoint(client));
  EXPECT_EQ(dropped[0]["example"]["peer"], "192.0.2.2:80");
}

TEST_F(ExplainAllTest, RulesBehindOneThatTakesEverythingAreNamed) {
  wire_.local.Shell(
      "nft 'table ip t { chain o { type filter hook output priority 0; tcp dport 1-65535 accept; tcp dport 80 drop; };"
      " chain late { tcp dport 22 drop; }; chain p { type filter hook output priority 5; accept; jump late; }; }'");
  const Json all = All(0);
  ASSERT_EQ(all["unreached_rules"].size(), 3U) << all;
  EXPECT_EQ(all["unreached_rules"][0]["text"], "tcp dport 22 drop");
  EXPECT_EQ(all["unreached_rules"][1]["text"], "tcp dport 80 drop");
  EXPECT_EQ(all["unreached_rules"][2]["text"], "jump late");
}

TEST_F(ExplainAllTest, ASetOfThousandsIsOneClassInsideAndOneOutside) {
  std::string script = "table ip t { set s { type ipv4_addr; elements = { ";
  for (int i = 0; i < 5000; ++i) {
    script += "198." + std::to_string(18 + i / 2500) + "." + std::to_string(i / 100 % 25) + "." +
              std::to_string(2 * (i % 100) + 1) + ", ";
  }
  script += "}; }; chain o { type filter hook output priority 0; ip daddr @s ct state invalid drop; }; }";
  ASSERT_EQ(wire_.local.Command({"nft", "-f", "-"}, "table ip t; delete table ip t; " + script).exit_code, 0);
  wire_.local.Shell("ip route add default via 192.0.2.2");
  const Json all = All(1, "ipv4");
  EXPECT_EQ(OfFate(all, "fin_dropped").size(), 1U);
  EXPECT_EQ(OfFate(all, "clean").size(), 1U);
  EXPECT_EQ(OfFate(all, "fin_dropped")[0]["connections"]["peer_addresses"].size(), 5000U);
  EXPECT_TRUE(all["incomplete"].is_null());
  ConfirmExamples(all);
}

TEST_F(ExplainAllTest, ExamplesOfRealRulesetsAreConfirmedOneByOne) {
  for (const recording::Case& one : recording::CasesOf("real")) {
    SCOPED_TRACE(one.Name());
    const lab::Wire wire;
    wire.local.Shell("ip route add default via 192.0.2.2; ip -6 route add default via 2001:db8::2; set -e; " +
                     one.LoadScript());
    const lab::CommandOutput output = wire.local.Command({lab::Program(), "explain", "--all", "--format=json"}, "", 60);
    ASSERT_NE(output.out, "") << output.err;
    for (const Json& each : Json::parse(output.out)["classes"]) {
      std::vector<std::string> arguments = {lab::Program(), "explain", each["example"]["local"],
                                            each["example"]["peer"], "--format=json"};
      for (const Json& flag : each["example"]["flags"]) {
        arguments.push_back(flag);
      }
      const Json one_alone = Json::parse(wire.local.Command(arguments, "", 20).out);
      if (each["fate"] != "unknown") {
        EXPECT_EQ(one_alone["fate"], each["fate"]) << each["connections"]["text"] << one_alone;
      }
    }
  }
}

TEST_F(ExplainAllTest, WhatDoesNotGoTogetherIsRefusedWithOneSentence) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--all", "192.0.2.1:1", "192.0.2.2:2"},
                                             {"--all", "--mark=1"},
                                             {"--all", "--family=ipx"},
                                             {"192.0.2.1:1", "192.0.2.2:2", "--family=ipv4"},
                                             {"192.0.2.1:1", "192.0.2.2:2", "--opened-by=me"},
                                             {"192.0.2.1:1", "192.0.2.2:2", "--user=root"}}) {
    const lab::CommandOutput output = Explain(wrong);
    EXPECT_EQ(output.exit_code, 3) << output.out;
    EXPECT_EQ(output.out, "");
    EXPECT_EQ(std::count(output.err.begin(), output.err.end(), '\n'), 1) << output.err;
  }
}

}  // namespace
}  // namespace finwait::e2e
