#include "collectors/sources/registry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "collectors/sources/netstat.h"
#include "collectors/sources/sysctl.h"
#include "tests/lab/paths.h"

namespace finwait::sources {
namespace {

const std::filesystem::path kRoot = lab::SourceFolder();

TEST(RegistryTest, EveryCollectorHasItsFilePairATestAndARowInTheReadme) {
  std::ifstream file(kRoot / "README.md");
  std::ostringstream readme;
  readme << file.rdbuf();
  for (const CollectorInfo& collector : CollectorRegistry()) {
    const std::string name(collector.name);
    EXPECT_TRUE(std::filesystem::exists(kRoot / "collectors/sources" / (name + ".h"))) << name;
    EXPECT_TRUE(std::filesystem::exists(kRoot / "collectors/sources" / (name + ".cc"))) << name;
    EXPECT_TRUE(std::filesystem::exists(kRoot / "tests/kernel/collectors/sources" / (name + "_test.cc"))) << name;
    EXPECT_NE(readme.str().find("\n| `" + name + "` |"), std::string::npos) << name << " has no row in README.md";
    EXPECT_NE(collector.make, nullptr) << name;
    EXPECT_FALSE(collector.summary.empty()) << name;
    EXPECT_FALSE(collector.reads.empty()) << name;
    EXPECT_TRUE(collector.part.empty() || collector.capability != Capability::kNone) << name;
  }
}

TEST(RegistryTest, NoCollectorAndNoMetricIsThereTwice) {
  std::set<std::string_view> names;
  std::set<std::string_view> metrics;
  for (const CollectorInfo& collector : CollectorRegistry()) {
    EXPECT_TRUE(names.insert(collector.name).second) << collector.name;
    for (const Metric& metric : collector.metrics) {
      EXPECT_TRUE(metrics.insert(metric.name).second) << metric.name;
      EXPECT_EQ(metric.name.ends_with("_total"), metric.type == MetricType::kCounter) << metric.name;
    }
  }
}

TEST(CollectorInfoTest, AFieldIsReadFromItsOwnSampleOnly) {
  SysctlSample sysctl;
  EXPECT_EQ(Field<&SysctlSample::tcp_fin_timeout>(sysctl), std::nullopt);
  sysctl.tcp_fin_timeout = std::chrono::seconds(60);
  EXPECT_EQ(Field<&SysctlSample::tcp_fin_timeout>(sysctl), 60);
  EXPECT_EQ(Field<&SysctlSample::tcp_fin_timeout>(NetstatSample()), std::nullopt);
}

}  // namespace
}  // namespace finwait::sources
