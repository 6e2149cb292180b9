#include "exporter/service/stage_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

namespace finwait::service {
namespace {

using diagnosis::Stage;
using std::chrono::seconds;
using testing::HasSubstr;

class StageLogTest : public testing::Test {
 protected:
  // What is logged of a host in `stage`, `after` the one before.
  std::string Report(std::optional<Stage> stage, seconds after = seconds(120)) {
    out_.str("");
    now_ += after;
    auto diagnosis = std::make_shared<diagnosis::Diagnosis>();
    diagnosis->snapshot = snapshot_;
    diagnosis->at = scheduling::WallClock::time_point(now_.time_since_epoch());
    diagnosis->risk.stage = stage;
    if (stage) {
      diagnosis->risk.score = 79.4;
    }
    if (stage == Stage::kFailing) {
      diagnosis->stuck.emplace().sockets.resize(131);
    }
    report::Report report;
    report.diagnosis = diagnosis;
    report.explanation.cause = "A rule drops the FIN.";
    log_.Report(report, now_);
    return out_.str();
  }
  std::shared_ptr<scheduling::Snapshot> snapshot_ = std::make_shared<scheduling::Snapshot>();
  std::ostringstream out_;
  Logger logger_{LogLevel::kDebug, LogFormat::kLogfmt, std::make_shared<spdlog::sinks::ostream_sink_mt>(out_)};
  StageLog log_{logger_};
  SteadyClock::time_point now_;
};

TEST_F(StageLogTest, TellsEachChangeOnceAWarningUpwardsInformationDownwards) {
  snapshot_->collectors.resize(2);
  snapshot_->collectors[0].collected = true;
  EXPECT_EQ(Report(std::nullopt), "") << "collectors are still starting";
  EXPECT_THAT(Report(Stage::kNone), HasSubstr("level=info msg=\"stage changed\" from=start to=none"));
  EXPECT_EQ(Report(Stage::kNone), "");
  EXPECT_THAT(Report(Stage::kFailing),
              HasSubstr("level=warn msg=\"stage changed\" from=none to=failing since=1970-01-01T00:08:00Z "
                        "score=79 stuck=131 would_stick=unknown cause=\"A rule drops the FIN.\""));
  EXPECT_THAT(Report(Stage::kLatent), HasSubstr("level=info msg=\"stage changed\" from=failing to=latent"));
}

TEST_F(StageLogTest, AStageThatCanNoLongerBeToldIsAWarningWithoutNumbers) {
  Report(Stage::kLatent);
  EXPECT_THAT(Report(std::nullopt), HasSubstr("level=warn msg=\"stage changed\" from=latent to=unknown "
                                              "since=1970-01-01T00:04:00Z score=unknown stuck=unknown"));
  EXPECT_THAT(Report(Stage::kNone), HasSubstr("level=info"));
}

TEST_F(StageLogTest, AHostOfWhichNothingCanBeToldFromTheStartOnGetsALine) {
  snapshot_->collectors.resize(1);
  snapshot_->collectors[0].collected = true;
  EXPECT_EQ(Report(std::nullopt), "") << "the first evaluation may still be under way";
  EXPECT_EQ(Report(std::nullopt, seconds(9)), "");
  EXPECT_THAT(Report(std::nullopt, seconds(1)), HasSubstr("level=warn msg=\"stage unknown\" from=start to=unknown"));
  EXPECT_EQ(Report(std::nullopt), "");
  EXPECT_THAT(Report(Stage::kNone), HasSubstr("level=info msg=\"stage changed\" from=unknown to=none"));
}

TEST_F(StageLogTest, WhatChangesRightAfterTheStartIsToldAtOnce) {
  Report(Stage::kNone);
  EXPECT_THAT(Report(Stage::kLatent, seconds(8)), HasSubstr("level=warn msg=\"stage changed\" from=none to=latent"));
}

TEST_F(StageLogTest, SaysAtMostOneLineAMinuteAndThenWhatIsTrueByThen) {
  Report(Stage::kLatent);
  Report(Stage::kNone);  // at 240 s
  EXPECT_EQ(Report(Stage::kExposed, seconds(5)), "");
  EXPECT_EQ(Report(Stage::kFailing, seconds(5)), "");
  EXPECT_THAT(Report(Stage::kFailing, seconds(51)), HasSubstr("from=none to=failing since=1970-01-01T00:04:10Z"));
  EXPECT_EQ(Report(Stage::kNone, seconds(5)), "");
  EXPECT_EQ(Report(Stage::kFailing, seconds(60)), "") << "it came and went, and is as the last line said";
}

}  // namespace
}  // namespace finwait::service
