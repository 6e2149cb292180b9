// What a scrape looks like: against a golden file, promtool, the Python reference parser, and the contract's limit on
// series.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "collectors/sources/registry.h"
#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

constexpr const char* kOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// A namespace in which every collector has something to show.
void Furnish(const lab::Namespace& where) {
  where.Shell(
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
      "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
      "iptables-legacy -t mangle -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
}

// Whether the line is a counter that a collector takes from the kernel as it is: what it counted before is in it.
bool IsCounterOfTheKernel(const std::string& line) {
  const std::string name = line.substr(0, line.find(' '));
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    for (const sources::Metric& metric : info.metrics) {
      if (metric.type == sources::MetricType::kCounter && name == "finwait_" + std::string(metric.name)) {
        return true;
      }
    }
  }
  return false;
}

// Values that differ from run to run, as "V"; the rest must not. Sockets that are open may be the test's own questions.
std::string Normalized(const std::string& body) {
  static const std::regex kVolatile(
      "^(process_.*|finwait_exporter_sandbox.*|finwait_collector_(duration|last_success)_.*|finwait_firewall_last_"
      "change_.*"
      "|finwait_(conntrack_(buckets|entries|flows|entry_|table_reads_total\\{by=\"dump)|tcp_(sockets\\{|idle_seconds_|"
      "keepalive_sockets)|network_"
      "namespaces\\{coverage=\"unseen).*|"
      "finwait_exporter_build_info.*) [^ "
      "]+$");
  std::istringstream lines(body);
  std::string normalized;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, kVolatile) || IsCounterOfTheKernel(line)) {
      line = line.substr(0, line.rfind(' ')) + " V";
      line = std::regex_replace(line, std::regex("\\{(compiler|version)=.*\\}"), "{...}");
    }
    normalized += line + "\n";
  }
  return normalized;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

class MetricsTest : public testing::Test {
 protected:
  MetricsTest() {
    Furnish(where_);
    // A budget that other tests' entries and sockets, which share the kernel's tables, do not exhaust: no interval
    // stretches.
    program_ = std::make_unique<Program>(where_, std::vector<std::string>{"--sampling.cpu-budget=1"});
  }
  lab::Namespace where_;
  std::unique_ptr<Program> program_;
};

TEST_F(MetricsTest, AreThoseOfTheGoldenFile) {
  const std::string path = (lab::SourceFolder() / "tests/golden/metrics.txt").string();
  std::string actual = Normalized(program_->Get("/metrics").body);
  if (std::getenv("FINWAIT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
  }
  const std::string golden = ReadFile(path);
  // A question that was being closed while the sockets were read is an orphan until its FIN is acknowledged (40 ms at
  // the most, a delayed ACK): look again.
  lab::Eventually([&] { return (actual = Normalized(program_->Get("/metrics").body)) == golden; });
  const auto [is, should_be] = std::mismatch(actual.begin(), actual.end(), golden.begin(), golden.end());
  EXPECT_TRUE(actual == golden)
      << "differs from line " << std::count(actual.begin(), is, '\n') + 1 << " on: \""
      << std::string(is, std::find(is, actual.end(), '\n'))
      << "\"; if that is meant: FINWAIT_UPDATE_GOLDEN=1 build/e2e_tests --gtest_filter=MetricsTest.*";
}

TEST_F(MetricsTest, PleasePromtool) {
  const auto checked = where_.Command({"promtool", "check", "metrics"}, program_->Get("/metrics").body);
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
  EXPECT_EQ(checked.out + checked.err, "");
}

TEST_F(MetricsTest, AreOpenMetricsToTheReferenceParserAndHoldTheSameSeries) {
  const auto response = program_->Get("/metrics", {{"Accept", kOpenMetrics}});
  EXPECT_EQ(response.Header("Content-Type"), kOpenMetrics);
  const auto parsed =
      where_.Command({"/usr/bin/python3", "-c",
                      "import sys\n"
                      "from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n"
                      "names = [sample.name for family in parse(sys.stdin.read()) for sample in family.samples]\n"
                      "print(len([name for name in names if not name.endswith('_created')]))"},
                     response.body);
  ASSERT_EQ(parsed.exit_code, 0) << parsed.err;
  EXPECT_EQ(std::stoul(parsed.out), ParseSeries(program_->Get("/metrics").body).size());
}

TEST_F(MetricsTest, SayInOpenMetricsSinceWhenTheyCount) {
  const auto series = ParseSeries(program_->Get("/metrics", {{"Accept", kOpenMetrics}}).body);
  const std::string stuck = "{state=\"last_ack\",cause=\"local_drop\"}";
  const double start = series.at("process_start_time_seconds");
  EXPECT_NEAR(series.at("finwait_tcp_sockets_stuck_created" + stuck), start, 10);
  const double boot = std::stod(where_.Shell("awk '/^btime/ { print $2 }' /proc/stat"));
  EXPECT_EQ(series.at("finwait_netstat_tcp_abort_failed_created"), boot);
  EXPECT_EQ(series.at("finwait_conntrack_invalid_created"), boot);
  EXPECT_LT(series.size(), 600U) << "a Prometheus that does not know start timestamps stores them as series";
}

TEST_F(MetricsTest, StayUnderFiveHundredSeriesWithEverythingEnabled) {
  const std::string body = program_->Get("/metrics").body;
  const auto series = ParseSeries(body);
  EXPECT_LT(series.size(), 500U);
  for (const sources::CollectorInfo& collector : sources::CollectorRegistry()) {
    if (!collector.enabled_by_default) {
      continue;
    }
    EXPECT_EQ(series.at("finwait_collector_success{collector=\"" + std::string(collector.name) + "\"}"), 1)
        << "only a scrape in which every collector works counts them all: " << program_->Log();
  }
}

TEST_F(MetricsTest, ComeCompressedWhenAskedForAndSaySo) {
  const auto plain = program_->Get("/metrics");
  const auto compressed = program_->Get("/metrics", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(plain.Header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(compressed.Header("Content-Encoding"), "gzip");
  EXPECT_NE(compressed.Header("Vary").find("Accept-Encoding"), std::string::npos);
  EXPECT_LT(compressed.body.size() * 4, plain.body.size());
  EXPECT_EQ(program_->Get("/metrics", {{"Accept-Encoding", "gzip;q=0"}}).Header("Content-Encoding"), "");
}

// Hundreds of collections of every collector and hundreds of scrapes leave everything as it was.
TEST_F(MetricsTest, AreTakenWithoutChangingAnythingOnTheHost) {
  const lab::Listener listener(where_, "127.0.0.1", 80);
  const UniqueFd client = lab::Connect(where_, "127.0.0.1", 80);
  const UniqueFd server = listener.Accept();
  const auto state = [&] {
    // Entries without their remaining time, settings, rules with their counters, and the legacy tables that exist:
    // reading a legacy table brings it to life, so the list of their names is read and nothing else.
    return where_.Shell(
        "conntrack -L 2>/dev/null | awk '{$3=\"\"; print}' | grep dport=80 | sort; sysctl -a 2>/dev/null | grep -E "
        "'^net\\.' | grep -v -E "
        "'nf_conntrack_count|fib_multipath_hash_seed'; nft list ruleset; cat /proc/net/ip_tables_names "
        "/proc/net/ip6_tables_names");
  };
  const std::string before = state();
  EXPECT_NE(before.find("dport=80"), std::string::npos);
  EXPECT_NE(before.find("mangle"), std::string::npos);
  where_.Run([&] {
    auto host = kernel::OpenHost("/proc");
    ASSERT_TRUE(host.has_value());
    for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
      if (!info.enabled_by_default) {
        continue;  // the witness has a process of its own, without which it reads nothing
      }
      const auto collector = info.make(*host, sources::CollectorSettings());
      for (int i = 0; i < 300; ++i) {
        EXPECT_TRUE(collector->Collect(Deadline::After(std::chrono::seconds(5))).has_value()) << info.name;
      }
    }
  });
  // The scrapes themselves are connections, to port 10061, and leave entries of their own.
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(program_->Get("/metrics").status, 200);
  }
  EXPECT_EQ(state(), before);
}

}  // namespace
}  // namespace finwait::e2e
