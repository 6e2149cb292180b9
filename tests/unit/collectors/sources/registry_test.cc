#include "collectors/sources/registry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

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
    EXPECT_EQ(NeedsNetAdmin(collector) || NeedsSysPtrace(collector), !collector.needs.empty())
        << name << ": the program gives up every other capability when it starts";
  }
}

TEST(RegistryTest, NoCollectorIsThereTwiceAndTheirSharesAreNoMoreThanThereIs) {
  std::set<std::string_view> names;
  double share = kSocketCountsShare + kEvaluationShare;
  for (const CollectorInfo& collector : CollectorRegistry()) {
    EXPECT_TRUE(names.insert(collector.name).second) << collector.name;
    share += collector.budget_share > 0 ? collector.budget_share : kOtherShare;
  }
  EXPECT_LE(share, 1);
}

}  // namespace
}  // namespace finwait::sources
