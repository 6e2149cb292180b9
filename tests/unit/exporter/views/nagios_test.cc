#include "exporter/views/nagios.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace finwait::views {
namespace {

report::Report NagiosReport(const diagnosis::Diagnosis& diagnosis) {
  report::Report report;
  report.diagnosis = std::make_shared<const diagnosis::Diagnosis>(diagnosis);
  report.explanation.verdict = "2 closed connections are stuck.";
  report.explanation.cause = "A rule drops them.";
  return report;
}

diagnosis::Diagnosis At(std::optional<diagnosis::Stage> stage, std::optional<double> score) {
  diagnosis::Diagnosis diagnosis;
  diagnosis.risk.stage = stage;
  diagnosis.risk.score = score;
  return diagnosis;
}

TEST(NagiosTest, OneLineHasStateVerdictAndPerformanceData) {
  diagnosis::Diagnosis diagnosis = At(diagnosis::Stage::kFailing, 81.26);
  diagnosis.stuck.emplace();
  diagnosis.stuck->sockets.resize(2);
  diagnosis.live.emplace();
  diagnosis.live->at_risk = {3, 1};
  diagnosis.live->expiring = 7;
  EXPECT_EQ(NagiosLine(NagiosReport(diagnosis)),
            "FINWAIT CRITICAL - 2 closed connections are stuck. A rule drops them. | risk_score=81.3;39;69;0;100 "
            "stuck_sockets=2;;;0 at_risk_sockets=4;;;0 expiring_sockets=7;;;0\n");
}

TEST(NagiosTest, StatesFollowTheStage) {
  const auto state = [](std::optional<diagnosis::Stage> stage) {
    const std::string line = NagiosLine(NagiosReport(At(stage, 1)));
    return line.substr(0, line.find(" - "));
  };
  EXPECT_EQ(state(diagnosis::Stage::kNone), "FINWAIT OK");
  EXPECT_EQ(state(diagnosis::Stage::kLatent), "FINWAIT OK");
  EXPECT_EQ(state(diagnosis::Stage::kExposed), "FINWAIT WARNING");
  EXPECT_EQ(state(diagnosis::Stage::kFailing), "FINWAIT CRITICAL");
  EXPECT_EQ(state(std::nullopt), "FINWAIT UNKNOWN");
}

TEST(NagiosTest, WhatIsUnknownIsNeverZero) {
  const std::string line = NagiosLine(NagiosReport(At(std::nullopt, std::nullopt)));
  EXPECT_EQ(line.substr(line.find('|')),
            "| risk_score=U;39;69;0;100 stuck_sockets=U;;;0 at_risk_sockets=U;;;0 expiring_sockets=U;;;0\n");
}

TEST(NagiosTest, TextCannotEndTheLineOrBeginPerformanceData) {
  report::Report report = NagiosReport(At(diagnosis::Stage::kNone, 0));
  report.explanation.verdict = "chain a|b\nc\x1b[1m";
  for (const std::string& line : {NagiosLine(report), NagiosUnknown("a|b\nc")}) {
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_LE(std::count(line.begin(), line.end(), '|'), 1) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    EXPECT_NE(line.find("a/b"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace finwait::views
