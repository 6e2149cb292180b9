#include "exporter/incidents/lost_resets.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::incidents {
namespace {

class LostResetsTest : public testing::Test {
 protected:
  /// What is new where so many are counted by then, and the witness names those of these ports.
  LostResets::News With(std::int64_t seconds, std::uint64_t counted, const std::vector<std::uint16_t>& named,
                        bool connected = true) {
    diagnosis::Diagnosis diagnosis = Without(seconds, counted);
    diagnosis.witness.emplace();
    for (const std::uint16_t port : named) {
      diagnosis.witness->new_resets.push_back(ResetOf(port, seconds, nullptr, connected));
    }
    return resets_.Take(diagnosis, At(seconds));
  }
  static diagnosis::Diagnosis Without(std::int64_t seconds, std::uint64_t counted) {
    diagnosis::Diagnosis diagnosis = DiagnosisAt(seconds, {});
    diagnosis.resets_lost = counted;
    return diagnosis;
  }

  LostResets resets_;
};

TEST_F(LostResetsTest, WithoutAWitnessTheyAreOnlyCounted) {
  EXPECT_EQ(resets_.Take(Without(0, 3), At(0)).unnamed, 3U);
  EXPECT_EQ(resets_.Take(Without(5, 3), At(5)).unnamed, 0U);
}

TEST_F(LostResetsTest, OneThatIsNamedIsNotCountedAgainWhicheverComesFirst) {
  EXPECT_EQ(With(0, 0, {80, 81}).named.size(), 2U);
  EXPECT_EQ(With(5, 3, {}).unnamed, 0U) << "one of three is not named yet";
  EXPECT_EQ(With(10, 3, {82}).named.size(), 1U);
  EXPECT_EQ(With(60, 3, {}).unnamed, 0U);
}

TEST_F(LostResetsTest, WhatTheWitnessDoesNotNameInTimeIsCounted) {
  EXPECT_EQ(With(0, 2, {80}).unnamed, 0U);
  EXPECT_EQ(With(29, 2, {}).unnamed, 0U);
  EXPECT_EQ(With(30, 2, {}).unnamed, 1U);
  EXPECT_EQ(With(90, 2, {}).unnamed, 0U);
}

TEST_F(LostResetsTest, WhatWaitsForAWitnessThatIsGoneIsCounted) {
  EXPECT_EQ(With(0, 2, {}).unnamed, 0U);
  EXPECT_EQ(resets_.Take(Without(5, 3), At(5)).unnamed, 3U);
}

TEST_F(LostResetsTest, OneThatIsNamedAndNeverCountedHidesNoLaterOne) {
  EXPECT_EQ(With(0, 0, {80}).named.size(), 1U);
  EXPECT_EQ(With(30, 0, {}).unnamed, 0U);
  EXPECT_EQ(With(31, 1, {}).unnamed, 0U);
  EXPECT_EQ(With(61, 1, {}).unnamed, 1U);
}

TEST_F(LostResetsTest, AConnectionIsNamedOnceAMinute) {
  EXPECT_EQ(With(0, 0, {80, 80}).named.size(), 1U);
  EXPECT_EQ(With(59, 0, {80}).named.size(), 0U);
  EXPECT_EQ(With(118, 0, {80}).named.size(), 0U) << "it goes on";
  EXPECT_EQ(With(178, 0, {80}).named.size(), 1U);
}

TEST_F(LostResetsTest, WhatAStrangerProvokesIsNeitherNamedNorHidesACountedOne) {
  EXPECT_EQ(With(0, 1, {80, 81}, /*connected=*/false).named.size(), 0U);
  EXPECT_EQ(With(30, 1, {}).unnamed, 1U);
}

TEST_F(LostResetsTest, MoreThanCanWaitAreCountedAtOnce) {
  EXPECT_EQ(With(0, LostResets::kMostWaiting + 5, {}).unnamed, 5U);
  EXPECT_EQ(With(5, LostResets::kMostWaiting + 7, {}).unnamed, 2U);
}

}  // namespace
}  // namespace finwait::incidents
