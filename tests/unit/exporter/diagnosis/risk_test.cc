#include "exporter/diagnosis/risk.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace finwait::diagnosis {
namespace {

// A host whose every input can be read, with nothing wrong.
RiskInputs Healthy() {
  RiskInputs inputs;
  inputs.drop_path = false;
  inputs.live_sockets = 1000;
  inputs.expiring_sockets = 0;
  inputs.at_risk_sockets = 0;
  return inputs;
}

RiskInputs Latent() {
  RiskInputs inputs = Healthy();
  inputs.drop_path = true;
  return inputs;
}

TEST(RiskTest, TheStageIsTheFurthestThingThatIsTrue) {
  RiskInputs inputs = Healthy();
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kNone);
  EXPECT_EQ(AssessRisk(inputs).score, 0);
  inputs.drop_path = true;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kLatent);
  inputs.at_risk_sockets = 1;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kExposed);
  inputs.stuck_sockets = 1;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kFailing);
}

TEST(RiskTest, FailingHoldsAfterTheLastEvidence) {
  RiskInputs inputs = Healthy();
  inputs.evidence_within_hold = true;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kFailing);
  EXPECT_GE(*AssessRisk(inputs).score, 70);
}

TEST(RiskTest, WhatIsMissingAndCouldChangeTheStageMakesItUnknown) {
  RiskInputs no_rules = Healthy();
  no_rules.drop_path.reset();
  EXPECT_FALSE(AssessRisk(no_rules).stage.has_value());
  EXPECT_FALSE(AssessRisk(no_rules).score.has_value());

  RiskInputs no_join = Latent();
  no_join.at_risk_sockets.reset();
  EXPECT_FALSE(AssessRisk(no_join).stage.has_value()) << "it could be exposed";

  RiskInputs no_sockets = Healthy();
  no_sockets.failure_observable = false;
  EXPECT_FALSE(AssessRisk(no_sockets).stage.has_value()) << "it could be failing";
}

TEST(RiskTest, AStuckSocketWithoutACauseTakesNoKnownRiskAway) {
  RiskInputs inputs = Latent();
  inputs.undetermined_stuck = 1;
  EXPECT_FALSE(AssessRisk(inputs).stage.has_value()) << "it could be failing";
  EXPECT_FALSE(AssessRisk(inputs).factors.stuck_count.has_value());
  inputs.at_risk_sockets = 1;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kExposed);
  inputs.stuck_sockets = 1;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kFailing);
}

TEST(RiskTest, WithoutADropPathNoSocketCanBeAtRiskSoTheJoinIsNotMissed) {
  RiskInputs inputs = Healthy();
  inputs.at_risk_sockets.reset();
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kNone);
}

TEST(RiskTest, AProvenFailureStaysVisibleWhateverElseIsBlind) {
  RiskInputs inputs;  // nothing could be read
  inputs.failure_observable = false;
  inputs.stuck_sockets = 1;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kFailing);
  EXPECT_GE(*AssessRisk(inputs).score, 70);
}

TEST(RiskTest, TheScoreStaysInsideTheBandOfItsStage) {
  std::mt19937 random(20261123);
  const auto number = [&random](std::uint64_t most) { return random() % (most + 1); };
  for (int i = 0; i < 20'000; ++i) {
    RiskInputs inputs;
    if (number(3) > 0) {
      inputs.drop_path = number(1) == 1;
    }
    inputs.live_sockets = number(100'000);
    if (number(3) > 0) {
      inputs.expiring_sockets = number(*inputs.live_sockets);
    }
    if (number(3) > 0) {
      inputs.at_risk_sockets = number(2) == 0 ? number(*inputs.live_sockets) : 0;
    }
    inputs.stuck_sockets = number(4) == 0 ? number(5000) : 0;
    inputs.lost_closes = number(4) == 0 ? number(5000) : 0;
    inputs.oldest_stuck = std::chrono::duration<double>(static_cast<double>(number(1000)));
    const Risk risk = AssessRisk(inputs);
    ASSERT_EQ(risk.stage.has_value(), risk.score.has_value());
    if (!risk.stage) {
      continue;
    }
    const auto [low, high] = *risk.stage == Stage::kNone      ? std::pair{0.0, 0.0}
                             : *risk.stage == Stage::kLatent  ? std::pair{1.0, 39.0}
                             : *risk.stage == Stage::kExposed ? std::pair{40.0, 69.0}
                                                              : std::pair{70.0, 100.0};
    ASSERT_GE(*risk.score, low);
    ASSERT_LE(*risk.score, high);
  }
}

// The score at each of `values`, each of which must be higher than the last.
void ExpectStrictRise(RiskInputs inputs, const std::function<void(RiskInputs&, int)>& set, int from, int to) {
  double last = -1;
  for (int value = from; value <= to; ++value) {
    set(inputs, value);
    const double score = *AssessRisk(inputs).score;
    ASSERT_GT(score, last) << "at " << value;
    last = score;
  }
}

TEST(RiskTest, TheScoreRisesStrictlyInEachFactorUntilItSaturates) {
  ExpectStrictRise(
      Latent(), [](RiskInputs& inputs, int value) { inputs.expiring_sockets = value; }, 0, 1000);
  ExpectStrictRise(
      Latent(), [](RiskInputs& inputs, int value) { inputs.at_risk_sockets = value; }, 1, 1000);
  ExpectStrictRise(
      Healthy(), [](RiskInputs& inputs, int value) { inputs.stuck_sockets = static_cast<std::uint64_t>(value); }, 1,
      1000);
  ExpectStrictRise(
      Healthy(), [](RiskInputs& inputs, int value) { inputs.lost_closes = static_cast<std::uint64_t>(value); }, 1,
      1000);
  RiskInputs stuck = Healthy();
  stuck.stuck_sockets = 5;
  ExpectStrictRise(
      stuck, [](RiskInputs& inputs, int value) { inputs.oldest_stuck = std::chrono::seconds(value); }, 0, 120);
}

TEST(RiskTest, AmongExposedHostsTheShareWeighsMoreThanTheNumber) {
  RiskInputs half_of_few = Latent();
  half_of_few.live_sockets = 10;
  half_of_few.at_risk_sockets = 5;
  RiskInputs many_of_very_many = Latent();
  many_of_very_many.live_sockets = 100'000;
  many_of_very_many.at_risk_sockets = 1000;
  EXPECT_GT(*AssessRisk(half_of_few).score, *AssessRisk(many_of_very_many).score);
}

TEST(RiskTest, ASmallChangeOfTheInputsIsASmallChangeOfTheScore) {
  RiskInputs inputs = Latent();
  inputs.live_sockets = 10'000;
  for (std::uint64_t at_risk = 1; at_risk < 10'000; ++at_risk) {
    inputs.at_risk_sockets = at_risk;
    const double score = *AssessRisk(inputs).score;
    inputs.at_risk_sockets = at_risk + 1;
    ASSERT_LT(*AssessRisk(inputs).score - score, 0.5) << "at " << at_risk;
  }
}

TEST(RiskUnknownTest, WhereAllEntriesAreThereAPathThatMayLosePacketsIsLatent) {
  RiskInputs inputs;
  inputs.live_sockets = 5;
  inputs.expiring_sockets = 0;
  inputs.at_risk_sockets = 0;
  EXPECT_EQ(AssessRisk(inputs).stage, std::nullopt) << "rules that could not be read";
  inputs.drop_path_unknowable = true;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kLatent);
  inputs.at_risk_sockets.reset();
  EXPECT_EQ(AssessRisk(inputs).stage, std::nullopt) << "an open connection without an entry hangs on it";
  inputs.at_risk_sockets = 1;
  EXPECT_EQ(AssessRisk(inputs).stage, Stage::kExposed) << "what is known of another one stays known";
}

}  // namespace
}  // namespace finwait::diagnosis
