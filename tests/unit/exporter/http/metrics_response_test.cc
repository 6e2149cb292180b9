#include "exporter/http/metrics_response.h"

#include <gtest/gtest.h>

namespace finwait::http {
namespace {

HttpRequest RequestWith(std::vector<HeaderField> headers) { return {"GET", "/metrics", {}, std::move(headers)}; }

TEST(MetricsResponse, HasTheFormatAndEncodingAskedForAndSaysThatItVaries) {
  std::vector<prometheus::MetricFamily> families(1);
  families[0] = {"finwait_x", std::string(600, 'h'), prometheus::MetricType::Gauge, {prometheus::ClientMetric{}}};
  const HttpResponse text = MetricsResponse(RequestWith({}), families);
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_TRUE(text.body->ends_with("finwait_x 0\n"));
  EXPECT_EQ(text.headers, (std::vector<HeaderField>{{"Vary", "Accept, Accept-Encoding"}}));
  const HttpResponse open_metrics =
      MetricsResponse(RequestWith({{"Accept", "application/openmetrics-text"}}), families);
  EXPECT_EQ(open_metrics.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open_metrics.body->ends_with("# EOF\n"));
  const HttpResponse zipped = MetricsResponse(RequestWith({{"Accept-Encoding", "gzip"}}), families);
  EXPECT_LT(zipped.body->size(), text.body->size());
  EXPECT_EQ(zipped.headers.back(), (HeaderField{"Content-Encoding", "gzip"}));
}

}  // namespace
}  // namespace finwait::http
