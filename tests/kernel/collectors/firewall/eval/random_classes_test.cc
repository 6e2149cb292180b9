#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "exporter/diagnosis/class_survey.h"
#include "tests/environment_number.h"
#include "tests/kernel/collectors/firewall/eval/random_ruleset.h"
#include "tests/lab/namespace.h"
#include "tests/recording/class_points.h"
#include "tests/recording/rule_source.h"

// Random rulesets, divided into classes: random connections fare as their class says, and each is of one class.
namespace finwait::firewall::eval {
namespace {

// The long form: FINWAIT_CLASS_RULESETS=500, from another FINWAIT_SEED.
TEST(RandomClassesTest, ConnectionsOfRandomRulesetsFareAsTheirClassSays) {
  const std::uint64_t seed = EnvironmentNumber("FINWAIT_SEED", 20261128);
  const std::uint64_t rulesets = EnvironmentNumber("FINWAIT_CLASS_RULESETS", 12);
  constexpr std::size_t kPoints = 30;
  std::size_t points = 0;
  std::size_t imprecise = 0;
  std::size_t classes = 0;
  std::size_t incomplete = 0;
  std::uint64_t done = 0;
  for (std::uint64_t number = seed; done < rulesets; ++number) {
    const RandomRuleset ruleset = MakeRandomRuleset(number);
    const lab::Namespace where;
    try {
      ruleset.LoadNat(where);
      ruleset.LoadRest(where);
    } catch (const RefusedRuleset&) {  // random rules that contradict each other
      continue;
    }
    ++done;
    SCOPED_TRACE("ruleset " + std::to_string(number));
    where.Run([&] {
      auto recording = std::make_shared<recording::KernelRecording>();
      auto source = recording::RuleSource::Recorded(recording);
      diagnosis::CloseEvaluator evaluator(source.Read(), {.tcp_loose = ruleset.tcp_loose}, nullptr);
      for (const IpFamily family : kIpFamilies) {
        const diagnosis::ConnectionSpace space = recording::MadeUpSpace(family);
        const diagnosis::FamilySurvey survey =
            diagnosis::SurveyClasses(evaluator, &source.Facts(), space, family, {}, nullptr);
        const recording::PointTally tally =
            recording::CheckPoints(survey, space, evaluator, &source.Facts(), number, kPoints);
        for (const std::string& wrong : tally.wrong) {
          ADD_FAILURE() << wrong << "\n" << ruleset.Text();
        }
        points += tally.points;
        imprecise += tally.imprecise;
        classes += survey.classes.size();
        incomplete += survey.incomplete.empty() ? 0 : 1;
      }
    });
  }
  EXPECT_EQ(points, rulesets * 2 * kPoints);
  std::cout << rulesets << " rulesets, " << points << " points, " << imprecise << " of them of unknown classes, "
            << classes << " classes, " << incomplete << " incomplete\n";
}

}  // namespace
}  // namespace finwait::firewall::eval
