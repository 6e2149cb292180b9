#include "exporter/views/classes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/recording/case.h"
#include "tests/recording/class_points.h"
#include "tests/recording/rules_record.h"

namespace finwait::views {
namespace {

using recording::Case;

constexpr const char* kClassesFile = "classes.txt";

report::ClassesReport ReportOf(const Case& one) {
  auto source = recording::RuleSource::Replayed(recording::KernelRecording::Parse(one.Require(recording::kKernelFile)));
  diagnosis::CloseEvaluator evaluator(source.Read(), {.tcp_loose = true}, nullptr);
  std::vector<diagnosis::ConnectionSpace> spaces;
  std::vector<diagnosis::FamilySurvey> surveys;
  diagnosis::RulesReached reached;
  for (const IpFamily family : kIpFamilies) {
    spaces.push_back(recording::MadeUpSpace(family));
    surveys.push_back(diagnosis::SurveyClasses(evaluator, &source.Facts(), spaces.back(), family, {}, &reached));
  }
  const auto unreached =
      diagnosis::UnreachedRules(evaluator.Packets().GetRuleset(), {IpFamily::kIpv4, IpFamily::kIpv6}, reached);
  return report::ReportClasses(std::move(surveys), spaces, unreached, evaluator.Packets());
}

// tests/cases/real/NAME/classes.txt: what a person reads of the rules that ufw, firewalld, Docker and kube-proxy load,
// for a host that was made up. FINWAIT_UPDATE_GOLDEN=1 writes them.
TEST(ClassesTest, TablesOfRealRulesetsAreThoseOfTheGoldenFiles) {
  for (const Case& one : recording::CasesOf("real")) {
    SCOPED_TRACE(one.Folder().string());
    const std::string text = ClassesText(ReportOf(one));
    if (std::getenv("FINWAIT_UPDATE_GOLDEN") != nullptr) {
      one.Write(kClassesFile, text);
    }
    EXPECT_EQ(text, one.Require(kClassesFile));
  }
}

TEST(ClassesTest, JsonHasEachClassWithItsConnectionsAndAnExample) {
  const auto json = nlohmann::json::parse(ClassesJson(ReportOf(recording::FindCase("real", "ufw"))));
  ASSERT_FALSE(json["classes"].empty());
  EXPECT_TRUE(json["incomplete"].is_null());
  for (const auto& each : json["classes"]) {
    for (const char* field : {"family", "journey", "opened_by", "peer_addresses", "peer_ports", "local_addresses",
                              "local_ports", "devices", "users", "groups", "marks"}) {
      EXPECT_TRUE(each["connections"].contains(field)) << field;
    }
    EXPECT_TRUE(each["example"]["local"].is_string());
    EXPECT_TRUE(each["example"]["peer"].is_string());
    EXPECT_EQ(each["rule"].is_null(), each["fate"] == "clean");
  }
}

}  // namespace
}  // namespace finwait::views
