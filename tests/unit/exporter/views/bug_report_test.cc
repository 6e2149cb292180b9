#include "exporter/views/bug_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace finwait::views {
namespace {

TEST(BugReportTest, EveryAddressInATextIsReplaced) {
  EXPECT_EQ(WithoutAddresses("from 192.0.2.1 to 198.51.100.7:443."), "from ADDRESS to ADDRESS:443.");
  EXPECT_EQ(WithoutAddresses("192.0.2.0/24, [2001:db8::1]:80 and fd00::/8"), "ADDRESS/24, [ADDRESS]:80 and ADDRESS/8");
  EXPECT_EQ(WithoutAddresses("2001:db8::1."), "ADDRESS.");
  EXPECT_EQ(WithoutAddresses("::ffff:192.0.2.1"), "ADDRESS");
}

TEST(BugReportTest, WhatOnlyLooksAlikeStays) {
  for (const char* text : {"at 04:15:14", "finwait::views", "chain face, rule 12", "0.5 of 1.25", "abc:80", "added:"}) {
    EXPECT_EQ(WithoutAddresses(text), text);
  }
}

TEST(BugReportTest, NamesSystemAndVersionAndHidesAddressesOfSentences) {
  auto diagnosis = std::make_shared<diagnosis::Diagnosis>();
  diagnosis->snapshot = std::make_shared<const scheduling::Snapshot>();
  diagnosis->stuck.emplace();
  auto& socket = diagnosis->stuck->sockets.emplace_back();
  socket.socket.local = *Endpoint::Parse("192.0.2.1:40000");
  socket.socket.peer = *Endpoint::Parse("192.0.2.2:443");
  report::Report report;
  report.diagnosis = diagnosis;
  report.explanation.verdict = "192.0.2.2 is silent.";
  report.explanation.what_to_do = {{"Do.", "-A OUTPUT -d 192.0.2.2 -j DROP", "ip route get 192.0.2.2", "id"}};
  const std::string text = BugReport(report, "Linux 6.1.0 x86_64");
  EXPECT_EQ(text.find("192.0.2"), std::string::npos) << text;
  EXPECT_EQ(text.find("-A OUTPUT"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["version"], FINWAIT_VERSION);
  EXPECT_EQ(json["kernel"], "Linux 6.1.0 x86_64");
  EXPECT_EQ(json["report"]["stuck"]["count"], 1);
}

}  // namespace
}  // namespace finwait::views
