#include "tests/unit/exporter/views/check_families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace finwait::views {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ClientMetric Labelled(std::vector<ClientMetric::Label> labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  return metric;
}

MetricFamily Family(std::string name, MetricType type, std::vector<ClientMetric> metrics = {ClientMetric{}}) {
  return {std::move(name), "Help.", type, std::move(metrics)};
}

MetricFamily Histogram(ClientMetric::Histogram histogram) {
  ClientMetric metric;
  metric.histogram = std::move(histogram);
  return Family("h", MetricType::Histogram, {metric});
}

TEST(CheckFamilies, FindsNothingInFamiliesThatAreWell) {
  EXPECT_THAT(CheckFamilies({Family("a_total", MetricType::Counter, {Labelled({{"x", "1"}}), Labelled({{"x", "2"}})}),
                             Family("ns:b", MetricType::Gauge), Family("c_info", MetricType::Gauge),
                             Histogram({3, 9, {{1, 0.5}, {3, 2}}}), Family("s", MetricType::Summary)}),
              IsEmpty());
}

TEST(CheckFamilies, FindsNamesThatAreThereTwiceOrCollideInOpenMetrics) {
  EXPECT_THAT(CheckFamilies({Family("a", MetricType::Gauge), Family("a", MetricType::Gauge)}),
              ElementsAre("a is there twice."));
  EXPECT_THAT(CheckFamilies({Family("x_total", MetricType::Counter), Family("x", MetricType::Gauge)}),
              ElementsAre("x collides with x_total in x."));
  EXPECT_THAT(CheckFamilies({Family("x_created", MetricType::Gauge), Family("x_total", MetricType::Counter)}),
              ElementsAre("x_total collides with x_created in x_created."));
  EXPECT_THAT(CheckFamilies({Histogram({}), Family("h_total", MetricType::Counter)}),
              ElementsAre("h_total collides with h in h."));
}

TEST(CheckFamilies, FindsLabelsThatAreThereTwiceInAnyOrder) {
  EXPECT_THAT(CheckFamilies({Family("a", MetricType::Gauge,
                                    {Labelled({{"x", "1"}, {"y", "2"}}), Labelled({{"y", "2"}, {"x", "1"}})})}),
              ElementsAre("a has the same labels twice."));
  EXPECT_THAT(CheckFamilies({Family("a", MetricType::Gauge, {Labelled({{"x", "1"}, {"x", "2"}})})}),
              ElementsAre("a has the label x twice in one metric."));
}

TEST(CheckFamilies, FindsInvalidNamesAndMissingHelp) {
  EXPECT_THAT(CheckFamilies({Family("1a", MetricType::Gauge)}), ElementsAre("1a is not a valid metric name."));
  EXPECT_THAT(CheckFamilies({Family("a-b", MetricType::Gauge)}), ElementsAre("a-b is not a valid metric name."));
  for (const char* label : {"", "1", "a:b", "__name", "a-b"}) {
    EXPECT_THAT(CheckFamilies({Family("a", MetricType::Gauge, {Labelled({{label, "v"}})})}),
                ElementsAre("a has the invalid label name \"" + std::string(label) + "\"."));
  }
  EXPECT_THAT(CheckFamilies({{"a", "", MetricType::Gauge, {}}}), ElementsAre("a has no help."));
}

TEST(CheckFamilies, FindsSuffixesThatDoNotFitTheType) {
  EXPECT_THAT(CheckFamilies({Family("a", MetricType::Counter)}),
              ElementsAre("a is a counter but does not end in _total."));
  EXPECT_THAT(CheckFamilies({Family("a_total", MetricType::Gauge)}),
              ElementsAre("a_total ends in _total but is not a counter."));
  for (const char* name : {"a_count", "a_sum", "a_bucket"}) {
    EXPECT_THAT(CheckFamilies({Family(name, MetricType::Gauge)}), Contains(HasSubstr("which only histograms")));
  }
  EXPECT_THAT(CheckFamilies({Family("h", MetricType::Histogram, {Labelled({{"le", "1"}})})}),
              ElementsAre("h uses the label le, which its type reserves."));
}

TEST(CheckFamilies, FindsValuesThatNoReaderAccepts) {
  for (const double value : {-1.0, std::nan("")}) {
    ClientMetric metric;
    metric.counter.value = value;
    EXPECT_THAT(CheckFamilies({Family("a_total", MetricType::Counter, {metric})}),
                ElementsAre("a_total has a counter that is negative or not a number."));
  }
  EXPECT_THAT(CheckFamilies({Histogram({3, 0, {{2, 1}, {1, 2}}})}),
              ElementsAre("h has a bucket that counts less than the one below."));
  EXPECT_THAT(CheckFamilies({Histogram({1, 0, {{2, 1}}})}),
              ElementsAre("h has a bucket that counts less than the one below."));
  EXPECT_THAT(CheckFamilies({Histogram({3, 0, {{2, std::numeric_limits<double>::infinity()}}})}),
              ElementsAre("h has a count that is not that of its last bucket."));
  EXPECT_THAT(CheckFamilies({Histogram({2, 0, {{2, 1}, {2, 1}}})}), Contains(HasSubstr("a bucket bound twice")));
}

}  // namespace
}  // namespace finwait::views
