#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include <nlohmann/json.hpp>

#include "exporter/views/exposition.h"
#include "tests/lab/paths.h"
#include "tests/unit/exporter/views/check_families.h"

namespace finwait::views {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// Families that CheckFamilies has nothing to say against, with everything in them that is hard to write.
class RandomFamilies {
 public:
  explicit RandomFamilies(unsigned seed) : random_(seed) {}

  std::vector<MetricFamily> Next() {
    std::vector<MetricFamily> families(Below(6));
    for (std::size_t i = 0; i < families.size(); ++i) {
      families[i] = Family("finwait_f" + std::to_string(i));
    }
    return families;
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }

  std::string Anything() {
    constexpr std::string_view kPieces[] = {"a",
                                            "\\",
                                            "\"",
                                            "\n",
                                            "\\n",
                                            "{",
                                            "}",
                                            "=",
                                            ",",
                                            " ",
                                            "#",
                                            "# EOF",
                                            "\t",
                                            "\xFF",
                                            "+Inf",
                                            "0",
                                            "\xC3\xA9",
                                            "\xE2\x80\xA8",
                                            "\xF0\x9F\x98\x80",
                                            "\xC3",
                                            "' "};
    std::string text = "x";  // the text parser strips blanks off HELP, which is not what is tested here
    for (std::size_t i = Below(8); i > 0; --i) {
      text += kPieces[Below(std::size(kPieces))];
    }
    return text + "x";
  }

  double Number() {
    constexpr double kSpecial[] = {0, 1, -1, 0.1, 1e6, 1e21, 5e-324, 1.7976931348623157e308, 1738324800.125};
    if (Below(2) == 0) {
      return kSpecial[Below(std::size(kSpecial))];
    }
    const double value = std::bit_cast<double>((std::uint64_t{random_()} << 32) | random_());
    return std::isfinite(value) ? value : 1;
  }

  double GaugeNumber() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kSpecial[] = {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()};
    return Below(4) == 0 ? kSpecial[Below(3)] : Number();
  }

  ClientMetric Metric(std::size_t index) {
    ClientMetric metric;
    metric.label.push_back({"index", std::to_string(index)});
    for (std::size_t i = Below(3); i > 0; --i) {
      metric.label.push_back({"label" + std::to_string(i), Anything()});
    }
    metric.counter.value = std::fabs(Number());
    metric.gauge.value = GaugeNumber();
    metric.untyped.value = GaugeNumber();
    metric.histogram.sample_sum = std::fabs(Number());
    for (std::size_t i = Below(8); i > 0; --i) {
      metric.histogram.sample_count += Below(1000);
      metric.histogram.bucket.push_back(
          {metric.histogram.sample_count, std::ldexp(static_cast<double>(9 - i), static_cast<int>(Below(2)) + 1)});
    }
    std::sort(metric.histogram.bucket.begin(), metric.histogram.bucket.end(),
              [](const auto& a, const auto& b) { return a.upper_bound < b.upper_bound; });
    const auto same = [](const auto& a, const auto& b) { return a.upper_bound == b.upper_bound; };
    auto& buckets = metric.histogram.bucket;
    buckets.erase(std::unique(buckets.begin(), buckets.end(), same), buckets.end());
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      buckets[i].cumulative_count = i * 3;
    }
    metric.histogram.sample_count = buckets.size() * 3 + Below(5);
    std::shuffle(buckets.begin(), buckets.end(), random_);
    metric.summary = {Below(1000), std::fabs(Number()), {{0, 0.5}, {0.5, 1}, {0.99, std::fabs(Number())}, {1, 7}}};
    return metric;
  }

  MetricFamily Family(std::string name) {
    constexpr MetricType kTypes[] = {MetricType::Counter, MetricType::Gauge, MetricType::Summary, MetricType::Untyped,
                                     MetricType::Histogram};
    MetricFamily family;
    family.type = kTypes[Below(std::size(kTypes))];
    family.name = family.type == MetricType::Counter ? name + "_total" : name;
    family.help = Anything();
    for (std::size_t i = Below(4); i > 0; --i) {
      family.metric.push_back(Metric(i));
    }
    return family;
  }

  std::mt19937 random_;
};

/// What a reader should find for the families that hold single numbers: [name, labels, value as text].
nlohmann::json ExpectedNumbers(const std::vector<MetricFamily>& families) {
  nlohmann::json expected = nlohmann::json::array();
  for (const MetricFamily& family : families) {
    for (const ClientMetric& metric : family.metric) {
      nlohmann::json labels = nlohmann::json::object();
      for (const ClientMetric::Label& label : metric.label) {
        labels[label.name] = label.value;
      }
      const double value = family.type == MetricType::Counter ? metric.counter.value
                           : family.type == MetricType::Gauge ? metric.gauge.value
                                                              : metric.untyped.value;
      if (family.type != MetricType::Summary && family.type != MetricType::Histogram) {
        std::array<char, 40> text{};
        std::snprintf(text.data(), text.size(), "%.17g", value);
        expected.push_back({family.name, labels, text.data()});
      }
    }
  }
  return expected;
}

/// Runs a shell command with `input`; its standard output, or a failure with what it printed.
std::string RunWith(const std::string& command, const std::string& input) {
  const std::string path = testing::TempDir() + "finwait_input_" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary) << input;
  FILE* pipe = popen((command + " < " + path + " 2>&1").c_str(), "r");
  std::string output;
  for (char buffer[4096]; const std::size_t length = std::fread(buffer, 1, sizeof buffer, pipe);) {
    output.append(buffer, length);
  }
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << output;
  std::filesystem::remove(path);
  return output;
}

TEST(ExpositionProperty, TheReferenceParsersReadTheSameSamplesFromBothFormats) {
  RandomFamilies random(20260131);
  nlohmann::json cases = nlohmann::json::array();
  for (int round = 0; round < 1500; ++round) {
    const std::vector<MetricFamily> families = random.Next();
    ASSERT_THAT(CheckFamilies(families), testing::IsEmpty());
    cases.push_back({{"text", RenderFamilies(families, ExpositionFormat::kText)},
                     {"openmetrics", RenderFamilies(families, ExpositionFormat::kOpenMetrics)},
                     {"numbers", ExpectedNumbers(families)}});
  }
  const std::string input = cases.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::string compared = RunWith(
      "/usr/bin/python3 " + (lab::SourceFolder() / "tests/unit/exporter/views/exposition_oracle.py").string(), input);
  EXPECT_GT(std::atoi(compared.c_str()), 10'000) << compared;
}

TEST(ExpositionProperty, PromtoolFindsNothing) {
  ClientMetric bare;
  ClientMetric histogram;
  histogram.label = {{"state", "last_ack"}};
  histogram.histogram = {3, 40, {{1, 1}, {2, 30}}};
  const std::vector<MetricFamily> families = {
      {"finwait_conntrack_drop_total", "Packets \"dropped\"\nby \\ nobody.", MetricType::Counter, {bare}},
      {"finwait_conntrack_entries", "Entries.", MetricType::Gauge, {bare}},
      {"finwait_conntrack_entry_idle_seconds", "Idle.", MetricType::Histogram, {histogram}},
      {"finwait_exporter_build_info", "Build.", MetricType::Gauge, {bare}}};
  EXPECT_EQ(RunWith("promtool check metrics", RenderFamilies(families, ExpositionFormat::kText)), "");
}

}  // namespace
}  // namespace finwait::views
