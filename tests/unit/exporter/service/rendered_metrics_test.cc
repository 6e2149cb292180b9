#include "exporter/service/rendered_metrics.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <stdexcept>

namespace finwait::service {
namespace {

using http::HeaderField;
using http::HttpResponse;
using std::chrono::seconds;

httplib::Request RequestWith(const std::vector<HeaderField>& headers) {
  httplib::Request request;
  for (const HeaderField& field : headers) {
    request.headers.emplace(field.name, field.value);
  }
  return request;
}
const httplib::Request kPlain = RequestWith({});
const httplib::Request kGzip = RequestWith({{"Accept-Encoding", "gzip"}});
const httplib::Request kOpenMetrics = RequestWith({{"Accept", "application/openmetrics-text"}});

std::shared_ptr<const report::Report> EmptyReport() {
  auto report = std::make_shared<report::Report>();
  report->diagnosis = std::make_shared<diagnosis::Diagnosis>();
  return report;
}

class RenderedMetricsTest : public testing::Test {
 protected:
  HttpResponse Ask(const httplib::Request& request, seconds after = seconds(0)) {
    return metrics_.Answer(request, start_ + after);
  }
  void PublishOne(seconds after = seconds(0)) { metrics_.Publish(EmptyReport(), start_ + after); }
  void SetUp() override { PublishOne(); }

  int made_ = 0;
  report::LatestReport latest_;
  SteadyClock::time_point start_ = SteadyClock::now();
  RenderedMetrics metrics_{
      [this](const diagnosis::Diagnosis&) {
        ++made_;
        std::vector<prometheus::MetricFamily> families(1);
        families[0] = {"finwait_x", std::string(600, 'h'), prometheus::MetricType::Gauge, {prometheus::ClientMetric{}}};
        families[0].metric[0].gauge.value = made_;
        return families;
      },
      latest_};
};

TEST_F(RenderedMetricsTest, HasTheFormatAndEncodingAskedForAndSaysThatItVaries) {
  const HttpResponse text = Ask(kPlain);
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_TRUE(text.body->ends_with("finwait_x 1\n"));
  EXPECT_EQ(text.headers, (std::vector<HeaderField>{{"Vary", "Accept, Accept-Encoding"}}));
  const HttpResponse open_metrics = Ask(kOpenMetrics);
  EXPECT_EQ(open_metrics.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open_metrics.body->ends_with("# EOF\n"));
  const HttpResponse zipped = Ask(kGzip);
  EXPECT_LT(zipped.body->size(), text.body->size());
  EXPECT_EQ(zipped.headers.back(), (HeaderField{"Content-Encoding", "gzip"}));
}

TEST_F(RenderedMetricsTest, ServesOneRenderingToAllWhoAskForTheSame) {
  const auto plain = Ask(kPlain).body;
  const auto zipped = Ask(kGzip).body;
  EXPECT_EQ(Ask(kPlain, seconds(1)).body, plain);
  EXPECT_EQ(Ask(kGzip, seconds(1)).body, zipped);
  EXPECT_EQ(made_, 1);
}

// One scraper may ask for both in turn, and a counter must not go back between them.
TEST_F(RenderedMetricsTest, BothFormatsShowTheSameMoment) {
  (void)Ask(kPlain);
  EXPECT_NE(Ask(kOpenMetrics, seconds(1)).body->find("finwait_x 1\n"), std::string::npos);
  EXPECT_EQ(made_, 1);
}

TEST_F(RenderedMetricsTest, ShowsANewDiagnosisAndLetsTheOldOneGo) {
  (void)Ask(kPlain);
  const std::weak_ptr<const report::Report> old = latest_.Get();
  PublishOne();
  EXPECT_TRUE(old.expired());
  EXPECT_TRUE(Ask(kPlain).body->ends_with("finwait_x 2\n"));
}

TEST_F(RenderedMetricsTest, RendersAheadWhatIsAskedFor) {
  PublishOne();
  EXPECT_EQ(made_, 0) << "nobody has asked yet";
  const auto before = Ask(kGzip).body;
  PublishOne(seconds(5));
  EXPECT_EQ(made_, 2);
  const auto after = Ask(kGzip, seconds(6)).body;
  EXPECT_NE(after, before);
  EXPECT_EQ(Ask(kGzip, seconds(11)).body, after);
  EXPECT_EQ(made_, 2) << "one who scrapes had to make them";
}

TEST_F(RenderedMetricsTest, RendersNothingAheadOnceNobodyAsksAnyMore) {
  (void)Ask(kPlain);
  PublishOne(RenderedMetrics::kWantedFor - seconds(1));
  EXPECT_EQ(made_, 2);
  const std::weak_ptr<const report::Report> old = latest_.Get();
  PublishOne(RenderedMetrics::kWantedFor);
  EXPECT_EQ(made_, 2);
  EXPECT_TRUE(old.expired());
}

TEST_F(RenderedMetricsTest, AReportThatCannotBeRenderedIsPublishedAllTheSame) {
  bool fail = false;
  report::LatestReport latest;
  RenderedMetrics metrics(
      [&fail](const diagnosis::Diagnosis&) {
        if (fail) {
          throw std::invalid_argument("/proc/self/stat");
        }
        return std::vector<prometheus::MetricFamily>();
      },
      latest);
  metrics.Publish(EmptyReport(), start_);
  (void)metrics.Answer(kPlain, start_);
  fail = true;
  const auto report = EmptyReport();
  metrics.Publish(report, start_);
  EXPECT_EQ(latest.Get(), report);
  EXPECT_THROW((void)metrics.Answer(kPlain, start_), std::invalid_argument) << "who scrapes is told";
  fail = false;
  EXPECT_EQ(metrics.Answer(kPlain, start_).status, 200);
}

TEST_F(RenderedMetricsTest, RendersAgainWhenTheProcessMetricsHaveAged) {
  (void)Ask(kPlain);
  EXPECT_TRUE(Ask(kPlain, RenderedMetrics::kFreshFor).body->ends_with("finwait_x 2\n"));
}

}  // namespace
}  // namespace finwait::service
