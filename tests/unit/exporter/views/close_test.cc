#include "exporter/views/close.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace finwait::views {
namespace {

report::CloseReport Dropped() {
  report::CloseReport report;
  report.fate = diagnosis::Fate::kFinDropped;
  report.tracked = false;
  report::PacketReport fin;
  fin.name = "fin";
  fin.verdict = "drop";
  fin.state = "INVALID";
  fin.hook = "output";
  fin.rule = firewall::RuleId{
      firewall::Backend::kNft, firewall::Dialect::kIptables, firewall::TableFamily::kIpv4, "filter", "OUTPUT", 4, {}};
  fin.text = "-A OUTPUT -j DROP";
  report::PacketReport ack;
  ack.name = "ack";
  ack.verdict = "accept";
  ack.passes = true;
  report.packets = {fin, ack};
  return report;
}

TEST(CloseTest, TheTextNamesTheRuleAsCheckDoes) {
  EXPECT_EQ(CloseText(Dropped()),
            "NOT CLEAN (fin_dropped): once its conntrack entry is gone, its FIN never leaves this host: the socket "
            "sticks and the peer stays connected.\n"
            "It has no entry now. Its local end is on this host.\n\n"
            "  fin       drop as INVALID at output by iptables-nft table filter, chain OUTPUT, handle 4\n"
            "            -A OUTPUT -j DROP\n"
            "  ack       accept\n");
}

TEST(CloseTest, AnEntryIsShownAsConntrackPrintsIt) {
  report::CloseReport report = Dropped();
  report.tracked = true;
  report.entry = "tcp      6 431999 ESTABLISHED src=192.0.2.1";
  EXPECT_NE(CloseText(report).find("It has an entry now. Its local end is on this host.\n\n"
                                   "  tcp      6 431999 ESTABLISHED src=192.0.2.1\n\n  fin "),
            std::string::npos)
      << CloseText(report);
  EXPECT_EQ(nlohmann::json::parse(CloseJson(report))["entry"], report.entry);
}

TEST(CloseTest, TheJsonHasEveryKeyOfEveryPacket) {
  const auto json = nlohmann::json::parse(CloseJson(Dropped()));
  EXPECT_EQ(json["fate"], "fin_dropped");
  EXPECT_EQ(json["tracked"], false);
  EXPECT_EQ(json["entry"], nullptr);
  EXPECT_EQ(json["journey"], "local");
  EXPECT_EQ(json["reason"], "");
  EXPECT_EQ(json["fin"]["handle"], 4);
  EXPECT_FALSE(json["fin"].contains("rule_index"));
  for (const char* packet : {"fin", "ack"}) {
    for (const char* key : {"verdict", "state", "hook", "backend", "family", "table", "chain", "text", "reason"}) {
      EXPECT_TRUE(json[packet].contains(key)) << packet << " " << key;
    }
  }
  EXPECT_TRUE(json["ack"]["chain"].is_null());
}

TEST(CloseTest, AFlowtableOnTheWayIsNamedWithWhatItMeans) {
  report::CloseReport report = Dropped();
  report.path = firewall::eval::PathKind::kForwarded;
  report.passage = diagnosis::HostPassage::kForward;
  EXPECT_EQ(nlohmann::json::parse(CloseJson(report))["flowtables"], nlohmann::json::array());
  EXPECT_EQ(CloseText(report).find("flowtable"), std::string::npos);
  report.flowtables = {{firewall::TableFamily::kInet, "fw", {"fast", -10, false, {{"eth0", false}, {"veth", true}}}}};
  EXPECT_NE(
      CloseText(report).find("While it has its entry, its packets may pass the rules by: flowtable \"fast\" of nft "
                             "table inet fw (at the ingress of eth0, veth*, priority -10). Without the entry "
                             "they do not.\n"),
      std::string::npos)
      << CloseText(report);
  const auto json = nlohmann::json::parse(CloseJson(report))["flowtables"];
  EXPECT_EQ(json, nlohmann::json::parse(R"([{"family": "inet", "table": "fw", "name": "fast",
                                             "devices": ["eth0", "veth*"], "priority": -10, "hardware": false}])"));
}

}  // namespace
}  // namespace finwait::views
