#include "exporter/views/json.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "exporter/diagnosis/diagnostician.h"
#include "tests/lab/paths.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::views {
namespace {

using firewall::Hook;
using nlohmann::json;
using std::chrono::seconds;

// A host with a socket stuck and one at risk, so that every list has something in it.
std::shared_ptr<const diagnosis::Diagnosis> Failing() {
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
  return diagnostician.Diagnose(host.Get(), host.Now(), scheduling::WallClock::now());
}

TEST(JsonTest, WithoutDetailsItNamesNoAddressAndNoRuleText) {
  const std::string hidden = ReportJson(*Failing(), Details::kHide);
  EXPECT_EQ(hidden.find("192.0.2."), std::string::npos);
  EXPECT_EQ(hidden.find("-A OUTPUT"), std::string::npos);
  const json report = json::parse(hidden);
  EXPECT_EQ(report["stuck"]["sockets"][0]["rule"]["chain"], "OUTPUT") << "the place is shown";
  const std::string shown = ReportJson(*Failing(), Details::kShow);
  EXPECT_NE(shown.find("192.0.2.1:40001"), std::string::npos);
  EXPECT_NE(shown.find("-A OUTPUT -d 192.0.2.2 -j DROP"), std::string::npos);
}

TEST(JsonTest, TellsOfEachStuckSocketWhyAndWhatBecameOfItsEntry) {
  const json socket = json::parse(ReportJson(*Failing(), Details::kShow))["stuck"]["sockets"][0];
  EXPECT_EQ(socket["state"], "fin_wait_1");
  EXPECT_EQ(socket["cause"], "local_drop");
  EXPECT_EQ(socket["entry"], "timed_out");
  EXPECT_EQ(socket["entry_state"], "established");
  EXPECT_EQ(socket["keepalive"], false);
  EXPECT_EQ(socket["rule"]["hook"], "output");
  EXPECT_EQ(socket["rule"]["policy"], true);
}

TEST(JsonTest, WhatIsBlindIsNullAndNotEmpty) {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({}));
  host.Fail<sources::FirewallSample>("no");
  host.Fail<sources::SocketsSample>("no");
  host.Fail<sources::TrackingSample>("no");
  const auto diagnosis = diagnosis::Diagnostician().Diagnose(host.Get(), host.Now(), scheduling::WallClock::now());
  const json report = json::parse(ReportJson(*diagnosis, Details::kShow));
  EXPECT_TRUE(report["verdict"]["stage"].is_null());
  EXPECT_TRUE(report["verdict"]["score"].is_null());
  for (const char* part : {"stuck", "live", "firewall"}) {
    EXPECT_TRUE(report[part].is_null()) << part;
  }
}

TEST(JsonTest, TextThatIsNotUtf8IsRepairedAndNotThrownAt) {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({}));
  host.Fail<sources::FirewallSample>("garbled \xff\xfe rule");
  const auto diagnosis = diagnosis::Diagnostician().Diagnose(host.Get(), host.Now(), scheduling::WallClock::now());
  EXPECT_FALSE(json::parse(ReportJson(*diagnosis, Details::kShow), nullptr, false).is_discarded());
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
  Paths(json::parse(ReportJson(*Failing(), Details::kShow)), "", paths);
  for (const std::string& path : paths) {
    const std::size_t dot = path.rfind('.');
    const std::string field = dot == std::string::npos ? path : path.substr(dot + 1);
    EXPECT_NE(document.str().find("`" + field + "`"), std::string::npos) << path << " is not in docs/report.md";
  }
}

}  // namespace
}  // namespace finwait::views
