#include "exporter/views/bug_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "collectors/sources/witness.h"

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

class NoWitnessTest : public testing::Test {
 protected:
  // What the report says with the collector `status`; "null" where it says nothing.
  static std::string Said(std::optional<scheduling::CollectorStatus> status) {
    scheduling::Snapshot snapshot;
    if (status) {
      status->info = &sources::WitnessCollector::kInfo;
      snapshot.collectors.push_back(*status);
    }
    auto diagnosis = std::make_shared<diagnosis::Diagnosis>();
    diagnosis->snapshot = std::make_shared<const scheduling::Snapshot>(std::move(snapshot));
    report::Report report;
    report.diagnosis = diagnosis;
    const auto json = nlohmann::json::parse(BugReport(report, "Linux 6.1.0 x86_64"));
    return json.at("no_witness").is_null() ? "null" : json["no_witness"].get<std::string>();
  }
};

TEST_F(NoWitnessTest, WhereNobodyWitnessesItSaysHowToHaveThat) {
  const std::string said = Said(std::nullopt);
  for (const char* part : {"not in this report", "--collector.witness", "CAP_BPF", "/api/v1/report?format=bug"}) {
    EXPECT_NE(said.find(part), std::string::npos) << part << " in: " << said;
  }
}

TEST_F(NoWitnessTest, WhereTheWitnessFailedItSaysWhy) {
  scheduling::CollectorStatus failed;
  failed.collected = true;
  failed.errors = {{FailureReason::kUnsupported, 0, "this kernel has no BTF"}};
  EXPECT_NE(Said(failed).find("not in this report: this kernel has no BTF"), std::string::npos) << Said(failed);
  EXPECT_NE(Said(scheduling::CollectorStatus()).find("has not finished its first"), std::string::npos);
}

TEST_F(NoWitnessTest, WhereItWitnessesNothingIsMissing) {
  scheduling::CollectorStatus working;
  working.collected = true;
  working.data = std::make_shared<const sources::WitnessSample>();
  EXPECT_EQ(Said(working), "null");
}

}  // namespace
}  // namespace finwait::views
