#include "exporter/service/collector_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

namespace finwait::service {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class CollectorLogTest : public testing::Test {
 protected:
  // What is logged of a collector that fails so ("": works), `after` the one before.
  std::string Report(const std::string& failure, seconds after = seconds(120)) {
    out_.str("");
    now_ += after;
    scheduling::Snapshot snapshot;
    scheduling::CollectorStatus& status = snapshot.collectors.emplace_back();
    status.info = &sources::CollectorRegistry().front();
    status.collected = true;
    if (!failure.empty()) {
      status.errors.push_back({FailureReason::kPermission, 0, failure});
    }
    log_.Report(snapshot, now_);
    return out_.str();
  }
  std::string name_{sources::CollectorRegistry().front().name};
  std::ostringstream out_;
  Logger logger_{LogLevel::kDebug, LogFormat::kLogfmt, std::make_shared<spdlog::sinks::ostream_sink_mt>(out_)};
  CollectorLog log_{logger_};
  SteadyClock::time_point now_;
};

TEST_F(CollectorLogTest, TellsOnceThatItCannotReadAndOnceThatItCanAgain) {
  EXPECT_EQ(Report(""), "");
  EXPECT_THAT(Report("no right"), HasSubstr("level=warn msg=\"collector is unavailable\" collector=" + name_ +
                                            " reason=permission error=\"no right\""));
  EXPECT_EQ(Report("no right"), "");
  EXPECT_THAT(Report("no module"), HasSubstr("error=\"no module\""));
  EXPECT_THAT(Report(""), HasSubstr("level=info msg=\"collector works again\" collector=" + name_));
  EXPECT_EQ(Report(""), "");
}

TEST_F(CollectorLogTest, OfOneThatComesAndGoesItTellsOnceAMinuteHowItStandsByThen) {
  EXPECT_NE(Report("no right"), "");
  EXPECT_EQ(Report("", seconds(5)), "");
  EXPECT_EQ(Report("read 17 bytes", seconds(5)), "");
  EXPECT_EQ(Report("read 18 bytes", seconds(49)), "");
  EXPECT_THAT(Report("read 19 bytes", seconds(1)), HasSubstr("error=\"read 19 bytes\""));
  EXPECT_EQ(Report("", seconds(59)), "");
  EXPECT_THAT(Report("", seconds(1)), HasSubstr("works again"));
}

}  // namespace
}  // namespace finwait::service
