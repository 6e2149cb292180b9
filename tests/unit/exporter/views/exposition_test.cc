#include "exporter/views/exposition.h"

#include <gtest/gtest.h>

#include <limits>

namespace finwait::views {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string Text(const std::vector<MetricFamily>& families) {
  return RenderFamilies(families, ExpositionFormat::kText);
}
std::string OpenMetrics(const std::vector<MetricFamily>& families) {
  return RenderFamilies(families, ExpositionFormat::kOpenMetrics);
}

ClientMetric Gauge(double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  return metric;
}

ClientMetric Counter(double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  return metric;
}

TEST(Exposition, OpenMetricsSaysSinceWhenEachCounterCounts) {
  MetricFamily counter{"a_total", "A.", MetricType::Counter, {}};
  for (const char* label : {"x", "y"}) {
    ClientMetric& metric = counter.metric.emplace_back();
    metric.label = {{"l", label}};
    metric.counter.value = 3;
  }
  MetricFamily unknown = counter;
  unknown.name = "b_total";
  MetricFamily gauge{"c", "C.", MetricType::Gauge, {ClientMetric{}}};
  const auto start_of = [](std::string_view name) {
    return name == "b_total" ? std::nullopt : std::optional(1764288000.25);
  };
  const std::vector<MetricFamily> families = {counter, unknown, gauge};
  EXPECT_EQ(RenderFamilies(families, ExpositionFormat::kOpenMetrics, start_of),
            "# HELP a A.\n# TYPE a counter\na_total{l=\"x\"} 3\na_created{l=\"x\"} 1764288000.250\n"
            "a_total{l=\"y\"} 3\na_created{l=\"y\"} 1764288000.250\n"
            "# HELP b A.\n# TYPE b counter\nb_total{l=\"x\"} 3\nb_total{l=\"y\"} 3\n"
            "# HELP c C.\n# TYPE c gauge\nc 0\n# EOF\n");
  EXPECT_EQ(RenderFamilies(families, ExpositionFormat::kText, start_of),
            RenderFamilies(families, ExpositionFormat::kText));
}

TEST(Exposition, ACounterLosesItsSuffixOnlyInTheMetadataOfOpenMetrics) {
  const std::vector<MetricFamily> families = {
      {"finwait_drop_total", "Packets dropped.", MetricType::Counter, {Counter(3, {{"family", "ipv4"}}), Counter(0)}}};
  EXPECT_EQ(Text(families),
            "# HELP finwait_drop_total Packets dropped.\n"
            "# TYPE finwait_drop_total counter\n"
            "finwait_drop_total{family=\"ipv4\"} 3\n"
            "finwait_drop_total 0\n");
  EXPECT_EQ(OpenMetrics(families),
            "# HELP finwait_drop Packets dropped.\n"
            "# TYPE finwait_drop counter\n"
            "finwait_drop_total{family=\"ipv4\"} 3\n"
            "finwait_drop_total 0\n"
            "# EOF\n");
}

TEST(Exposition, FamiliesKeepTheirOrderAndAnEmptyOneIsSilent) {
  const std::vector<MetricFamily> families = {{"b", "B.", MetricType::Gauge, {Gauge(1)}},
                                              {"empty", "E.", MetricType::Gauge, {}},
                                              {"a", "A.", MetricType::Untyped, {ClientMetric{}}}};
  EXPECT_EQ(Text(families), "# HELP b B.\n# TYPE b gauge\nb 1\n# HELP a A.\n# TYPE a untyped\na 0\n");
  EXPECT_EQ(OpenMetrics(families), "# HELP b B.\n# TYPE b gauge\nb 1\n# HELP a A.\n# TYPE a unknown\na 0\n# EOF\n");
  EXPECT_EQ(Text({}), "");
  EXPECT_EQ(OpenMetrics({}), "# EOF\n");
}

TEST(Exposition, EachFormatEscapesHelpAndLabelsItsOwnWay) {
  const std::vector<MetricFamily> families = {
      {"m", "a \\ b\nc \"d\"", MetricType::Gauge, {Gauge(1, {{"l", "a \\ b\nc \"d\" \xC3\xBC"}})}}};
  EXPECT_EQ(Text(families),
            "# HELP m a \\\\ b\\nc \"d\"\n# TYPE m gauge\nm{l=\"a \\\\ b\\nc \\\"d\\\" \xC3\xBC\"} 1\n");
  EXPECT_EQ(OpenMetrics(families),
            "# HELP m a \\\\ b\\nc \\\"d\\\"\n# TYPE m gauge\nm{l=\"a \\\\ b\\nc \\\"d\\\" \xC3\xBC\"} 1\n# EOF\n");
}

TEST(Exposition, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Text({{"m", "h\xFF", MetricType::Gauge, {Gauge(1, {{"l", "a\x80\xC3"}})}}}),
            "# HELP m h\xEF\xBF\xBD\n# TYPE m gauge\nm{l=\"a\xEF\xBF\xBD\xEF\xBF\xBD\"} 1\n");
}

TEST(Exposition, NumbersAreShortestAndReadBackTheSame) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::pair<double, const char*> kCases[] = {{0, "0"},
                                                   {-0.0, "-0"},
                                                   {0.1, "0.1"},
                                                   {1.0 / 3, "0.3333333333333333"},
                                                   {1e6, "1e+06"},
                                                   {123456789, "123456789"},
                                                   {1738324800.125, "1738324800.125"},
                                                   {9007199254740993, "9007199254740992"},
                                                   {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
                                                   {kInfinity, "+Inf"},
                                                   {-kInfinity, "-Inf"},
                                                   {std::numeric_limits<double>::quiet_NaN(), "NaN"}};
  for (const auto& [value, text] : kCases) {
    EXPECT_EQ(Text({{"m", "", MetricType::Gauge, {Gauge(value)}}}), "# TYPE m gauge\nm " + std::string(text) + "\n");
  }
}

TEST(Exposition, HistogramsAreSortedAndHaveCanonicalBounds) {
  ClientMetric metric;
  metric.label = {{"state", "established"}};
  metric.histogram = {7, 123.5, {{5, 60}, {1, 0.5}, {2, 1}, {6, 432000}}};
  const std::vector<MetricFamily> families = {{"h", "H.", MetricType::Histogram, {metric}}};
  EXPECT_EQ(Text(families),
            "# HELP h H.\n# TYPE h histogram\n"
            "h_bucket{state=\"established\",le=\"0.5\"} 1\n"
            "h_bucket{state=\"established\",le=\"1\"} 2\n"
            "h_bucket{state=\"established\",le=\"60\"} 5\n"
            "h_bucket{state=\"established\",le=\"432000\"} 6\n"
            "h_bucket{state=\"established\",le=\"+Inf\"} 7\n"
            "h_sum{state=\"established\"} 123.5\n"
            "h_count{state=\"established\"} 7\n");
  EXPECT_EQ(OpenMetrics(families),
            "# HELP h H.\n# TYPE h histogram\n"
            "h_bucket{state=\"established\",le=\"0.5\"} 1\n"
            "h_bucket{state=\"established\",le=\"1.0\"} 2\n"
            "h_bucket{state=\"established\",le=\"60.0\"} 5\n"
            "h_bucket{state=\"established\",le=\"432000.0\"} 6\n"
            "h_bucket{state=\"established\",le=\"+Inf\"} 7\n"
            "h_sum{state=\"established\"} 123.5\n"
            "h_count{state=\"established\"} 7\n"
            "# EOF\n");
}

TEST(Exposition, AGivenInfinityBucketIsNotRepeated) {
  ClientMetric metric;
  metric.histogram = {3, 1, {{3, std::numeric_limits<double>::infinity()}}};
  EXPECT_EQ(Text({{"h", "", MetricType::Histogram, {metric}}}),
            "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 1\nh_count 3\n");
}

TEST(Exposition, SummariesHaveQuantilesSumAndCount) {
  ClientMetric metric;
  metric.summary = {4, 2.5, {{0.5, 0.1}, {1, 2}}};
  EXPECT_EQ(OpenMetrics({{"s", "", MetricType::Summary, {metric}}}),
            "# TYPE s summary\ns{quantile=\"0.5\"} 0.1\ns{quantile=\"1.0\"} 2\ns_sum 2.5\ns_count 4\n# EOF\n");
}

TEST(Exposition, TimestampsAreMillisecondsInTextAndSecondsInOpenMetrics) {
  ClientMetric metric = Gauge(1);
  metric.timestamp_ms = 1738324800125;
  const std::vector<MetricFamily> families = {{"m", "", MetricType::Gauge, {metric}}};
  EXPECT_EQ(Text(families), "# TYPE m gauge\nm 1 1738324800125\n");
  EXPECT_EQ(OpenMetrics(families), "# TYPE m gauge\nm 1 1738324800.125\n# EOF\n");
}

TEST(Exposition, ContentTypesAreThoseThatPrometheusKnows) {
  EXPECT_EQ(ContentType(ExpositionFormat::kText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(ContentType(ExpositionFormat::kOpenMetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace finwait::views
