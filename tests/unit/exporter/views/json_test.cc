#include "exporter/views/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "exporter/diagnosis/diagnostician.h"
#include "tests/lab/paths.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::views {
namespace {

using firewall::Hook;
using nlohmann::json;
using std::chrono::seconds;

// A host with a socket stuck and one at risk, so that every list has something in it.
std::shared_ptr<const report::Report> FailingReport() {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({Hook::kOutput}));
  diagnosis::Diagnostician diagnostician;
  sources::FirewallSample firewall;
  firewall.ruleset = diagnosis::DropsAt({Hook::kOutput});
  firewall::analysis::InvalidDropRule rule;
  rule.location = {
      firewall::Backend::kNft, firewall::Dialect::kIptables, firewall::TableFamily::kIpv4, "filter", "OUTPUT", 3, {}};
  rule.families = {IpFamily::kIpv4};
  rule.hooks = {Hook::kOutput};
  rule.text = "-A OUTPUT -d 192.0.2.2 -j DROP";
  firewall.invalid_drops = {rule};
  firewall.policy_drops.emplace_back().location.chain = "OUTPUT";
  host.Set(firewall);
  host.Set(sources::NetworkNamespacesSample());
  sources::TrackingSample tracking;
  tracking.sockets = {diagnosis::OpenSocket(1), diagnosis::OpenSocket(2)};
  host.Set(tracking);
  diagnostician.Diagnose(host.Get(), host.Now(), scheduling::WallClock::now());
  host.Advance(seconds(5));
  tracking.sockets = {diagnosis::ForgottenSocket(1, kernel::TcpState::kFinWait1), diagnosis::ForgottenSocket(2)};
  host.Set(tracking);
  sources::SocketsSample sockets;
  sockets.closing = {diagnosis::StuckClosing(1)};
  host.Set(sockets);
  return report::MakeReport(diagnostician.Diagnose(host.Get(), host.Now(), scheduling::WallClock::now()));
}

TEST(JsonTest, WithoutDetailsItNamesNoAddressAndNoRuleText) {
  const std::string hidden = ReportJson(*FailingReport(), Details::kHide);
  EXPECT_EQ(hidden.find("192.0.2."), std::string::npos);
  EXPECT_EQ(hidden.find("-j DROP"), std::string::npos) << "of no rule; commands of ours accept";
  const json report = json::parse(hidden);
  EXPECT_EQ(report["stuck"]["sockets"][0]["rule"]["chain"], "OUTPUT") << "the place is shown";
  const std::string shown = ReportJson(*FailingReport(), Details::kShow);
  EXPECT_NE(shown.find("192.0.2.1:40001"), std::string::npos);
  EXPECT_NE(shown.find("-A OUTPUT -d 192.0.2.2 -j DROP"), std::string::npos);
}

// A host with 100,000 of everything that can be listed: anybody may ask for this report.
TEST(JsonTest, AReportOfManyRulesAndSocketsIsBoundedAndSaysHowManyMore) {
  constexpr std::size_t kMany = 100'000;
  auto diagnosis = std::make_shared<diagnosis::Diagnosis>(*FailingReport()->diagnosis);
  auto snapshot = std::make_shared<scheduling::Snapshot>(*diagnosis->snapshot);
  sources::FirewallSample firewall = *snapshot->Find<sources::FirewallSample>();
  firewall.invalid_drops.resize(kMany, firewall.invalid_drops.front());
  firewall.policy_drops.resize(kMany, firewall.policy_drops.front());
  for (scheduling::CollectorStatus& status : snapshot->collectors) {
    if (snapshot->Find<sources::FirewallSample>() == status.data.get()) {
      status.data = std::make_shared<const sources::FirewallSample>(firewall);
      break;
    }
  }
  diagnosis->snapshot = snapshot;
  diagnosis->stuck->sockets.resize(kMany, diagnosis->stuck->sockets.front());
  diagnosis->live->sockets.resize(kMany, diagnosis->live->sockets.front());
  const std::string text = ReportJson(*report::MakeReport(diagnosis), Details::kShow);
  EXPECT_LT(text.size(), 1'000'000u);
  const json report = json::parse(text);
  EXPECT_EQ(report["stuck"]["count"], kMany);
  for (const auto& [part, list] : {std::pair("stuck", "sockets"),
                                   {"live", "sockets"},
                                   {"firewall", "invalid_drop_rules"},
                                   {"firewall", "drop_policies"}}) {
    const std::size_t listed = report[part][list].size();
    EXPECT_GT(listed, 100u) << part << " " << list;
    EXPECT_EQ(listed + report[part][std::string(list) + "_not_listed"].get<std::size_t>(), kMany) << part << list;
  }
}

TEST(JsonTest, TellsOfEachStuckSocketWhyAndWhatBecameOfItsEntry) {
  const json socket = json::parse(ReportJson(*FailingReport(), Details::kShow))["stuck"]["sockets"][0];
  EXPECT_EQ(socket["state"], "fin_wait_1");
  EXPECT_EQ(socket["cause"], "local_drop");
  EXPECT_EQ(socket["entry"], "timed_out");
  EXPECT_EQ(socket["entry_state"], "established");
  EXPECT_EQ(socket["keepalive"], false);
  EXPECT_EQ(socket["rule"]["hook"], "output");
  EXPECT_EQ(socket["rule"]["policy"], true);
}

TEST(JsonTest, StuckSocketsAreCountedByRule) {
  const json by_rule = json::parse(ReportJson(*FailingReport(), Details::kHide))["stuck"]["by_rule"];
  ASSERT_EQ(by_rule.size(), 1U);
  EXPECT_EQ(by_rule[0]["rule"]["chain"], "OUTPUT");
  EXPECT_EQ(by_rule[0]["packet"], "fin");
  EXPECT_EQ(by_rule[0]["now"], 1);
}

TEST(JsonTest, WhatIsBlindIsNullAndNotEmpty) {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({}));
  host.Fail<sources::FirewallSample>("no");
  host.Fail<sources::SocketsSample>("no");
  host.Fail<sources::TrackingSample>("no");
  const auto made =
      report::MakeReport(diagnosis::Diagnostician().Diagnose(host.Get(), host.Now(), scheduling::WallClock::now()));
  const json report = json::parse(ReportJson(*made, Details::kShow));
  EXPECT_TRUE(report["verdict"]["stage"].is_null());
  EXPECT_TRUE(report["verdict"]["score"].is_null());
  for (const char* part : {"stuck", "live", "idle", "firewall"}) {
    EXPECT_TRUE(report[part].is_null()) << part;
  }
}

TEST(JsonTest, TextThatIsNotUtf8IsRepairedAndNotThrownAt) {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({}));
  host.Fail<sources::FirewallSample>("garbled \xff\xfe rule");
  const auto made =
      report::MakeReport(diagnosis::Diagnostician().Diagnose(host.Get(), host.Now(), scheduling::WallClock::now()));
  EXPECT_FALSE(json::parse(ReportJson(*made, Details::kShow), nullptr, false).is_discarded());
}

TEST(JsonTest, WhatActsOnATerminalIsEscaped) {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({}));
  host.Fail<sources::FirewallSample>("\u009b31m, \u202e, \u2028 and \x7f");
  const auto made =
      report::MakeReport(diagnosis::Diagnostician().Diagnose(host.Get(), host.Now(), scheduling::WallClock::now()));
  const std::string text = ReportJson(*made, Details::kShow);
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c < '\x7f'); }));
  EXPECT_THAT(text, testing::HasSubstr("\\u009b31m, \\u202e, \\u2028 and \\u007f"));
}

// Every path of `value`, "stuck.sockets[].state".
void Paths(const json& value, const std::string& at, std::set<std::string>& paths) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      paths.insert(at.empty() ? key : at + "." + key);
      Paths(inner, at.empty() ? key : at + "." + key, paths);
    }
  } else if (value.is_array()) {
    for (const json& inner : value) {
      Paths(inner, at + "[]", paths);
    }
  }
}

TEST(JsonTest, EveryFieldIsInTheDocument) {
  std::ifstream file(lab::SourceFolder() / "docs/report.md");
  std::ostringstream document;
  document << file.rdbuf();
  std::set<std::string> paths;
  Paths(json::parse(ReportJson(*FailingReport(), Details::kShow)), "", paths);
  for (const std::string& path : paths) {
    const std::size_t dot = path.rfind('.');
    const std::string field = dot == std::string::npos ? path : path.substr(dot + 1);
    EXPECT_NE(document.str().find("`" + field + "`"), std::string::npos) << path << " is not in docs/report.md";
  }
}

}  // namespace
}  // namespace finwait::views
