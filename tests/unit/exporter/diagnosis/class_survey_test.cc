#include "exporter/diagnosis/class_survey.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/recording/case.h"
#include "tests/recording/class_points.h"
#include "tests/recording/rules_record.h"

// All connections at once, held against the engine for one connection, for every recorded ruleset.
namespace finwait::diagnosis {
namespace {

using recording::Case;
using recording::PointTally;

// The long form has more: FINWAIT_CLASS_POINTS=200.
std::size_t PointsOfEach() {
  const char* text = std::getenv("FINWAIT_CLASS_POINTS");
  return text != nullptr ? static_cast<std::size_t>(std::strtoul(text, nullptr, 10)) : 16;
}

class ClassSurveyTest : public testing::Test {
 protected:
  void CheckAll(const std::string& group) {
    for (const Case& one : recording::CasesOf(group)) {
      auto source =
          recording::RuleSource::Replayed(recording::KernelRecording::Parse(one.Require(recording::kKernelFile)));
      CloseEvaluator evaluator(source.Read(), {.tcp_loose = true}, nullptr);
      for (const IpFamily family : kIpFamilies) {
        SCOPED_TRACE(one.Folder().string() + " " + std::string(Name(family)));
        const ConnectionSpace space = recording::MadeUpSpace(family);
        const FamilySurvey survey = SurveyClasses(evaluator, &source.Facts(), space, family, {}, nullptr);
        const PointTally tally =
            recording::CheckPoints(survey, space, evaluator, &source.Facts(), 20261128, PointsOfEach());
        for (const std::string& wrong : tally.wrong) {
          ADD_FAILURE() << wrong;
        }
        points_ += tally.points;
        imprecise_ += tally.imprecise;
        classes_ += survey.classes.size();
        if (std::getenv("FINWAIT_CLASS_VERBOSE") != nullptr) {
          std::cout << one.Name() << " " << Name(family) << ": " << survey.classes.size() << " classes, "
                    << tally.imprecise << " imprecise\n";
        }
      }
    }
    // Classes that hang on a mask of the mark are unknown, and connections of them need not be.
    EXPECT_LE(imprecise_ * 10, points_);
    RecordProperty("points", static_cast<int>(points_));
    RecordProperty("classes", static_cast<int>(classes_));
    RecordProperty("imprecise", static_cast<int>(imprecise_));
    std::cout << points_ << " points, " << imprecise_ << " imprecise, " << classes_ << " classes\n";
  }

  std::size_t points_ = 0;
  std::size_t imprecise_ = 0;
  std::size_t classes_ = 0;
};

TEST_F(ClassSurveyTest, ClassesOfRulesetsHoldWhatEachConnectionOfThemDoes) { CheckAll("traversal"); }

TEST_F(ClassSurveyTest, ClassesOfRealRulesetsHoldWhatEachConnectionOfThemDoes) { CheckAll("real"); }

}  // namespace
}  // namespace finwait::diagnosis
