// Pacing, simulated: work of made-up costs, run whenever its pacer says so.

#include "collectors/base/pacer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace finwait {
namespace {

using std::chrono::duration;
using std::chrono::seconds;

constexpr double kBudget = 0.02;
constexpr seconds kBase(5);

struct Work {
  double share;
  std::function<double(double)> cost;  // CPU seconds of a run that starts at that second
  Pacer pacer = Pacer(kBase, 1);
  double next = 0;
  double spent = 0;
  std::vector<double> intervals = {};
};

// Runs everything from second 0 to `end`.
void Simulate(std::vector<Work>& works, double end) {
  auto budget = std::make_shared<CpuBudget>(kBudget);
  for (Work& work : works) {
    work.pacer = Pacer(kBase, budget, work.share);
  }
  for (double now = 0; now < end; now += 0.5) {
    for (Work& work : works) {
      if (now >= work.next) {
        const double cost = work.cost(now);
        work.spent += cost;
        work.pacer.Ran(
            SteadyClock::time_point(std::chrono::duration_cast<SteadyClock::duration>(duration<double>(now))),
            std::chrono::duration_cast<std::chrono::nanoseconds>(duration<double>(cost)));
        work.intervals.push_back(duration<double>(work.pacer.Interval()).count());
        work.next = now + work.intervals.back();
      }
    }
  }
}

std::function<double(double)> Always(double cost) {
  return [cost](double) { return cost; };
}

class PacerCosts : public testing::TestWithParam<double> {};

TEST_P(PacerCosts, AllTogetherKeepTheBudgetHoweverDearTheyAre) {
  const double scale = GetParam();
  std::vector<Work> works = {{0.25, Always(1.7 * scale)}, {0.2, Always(0.4 * scale)}, {0.2, Always(0.016 * scale)},
                             {0.1, Always(0.09 * scale)}, {0.01, Always(0.0002)},     {0.01, Always(0.0001)}};
  const double end = 100'000 * std::max(1.0, scale);
  Simulate(works, end);
  double spent = 0;
  for (const Work& work : works) {
    spent += work.spent;
  }
  EXPECT_LE(spent / end, kBudget * 1.05);
  EXPECT_EQ(works[4].intervals.back(), 5) << "what is cheap keeps its interval";
}

INSTANTIATE_TEST_SUITE_P(Scales, PacerCosts, testing::Values(0.001, 0.01, 0.1, 1, 3, 10));

TEST(PacerTest, CheapWorkKeepsTheBaseInterval) {
  std::vector<Work> works = {{0.5, Always(0.001)}};
  Simulate(works, 1000);
  for (const double interval : works[0].intervals) {
    EXPECT_EQ(interval, 5);
  }
}

TEST(PacerTest, OneAloneMayTakeTheWholeBudget) {
  std::vector<Work> works = {{0.25, Always(1.7)}, {0.2, Always(0.0001)}};
  Simulate(works, 10'000);
  EXPECT_NEAR(works[0].intervals.back(), 1.7 / kBudget, 1);
}

TEST(PacerTest, StretchesSmoothlyAsTheWorkGrows) {
  // A table that grows by one percent a minute.
  std::vector<Work> works = {{0.25, [](double now) { return 0.01 * std::pow(1.01, now / 60); }}};
  Simulate(works, 40'000);
  const auto& intervals = works[0].intervals;
  EXPECT_EQ(intervals.front(), 5);
  EXPECT_GT(intervals.back(), 100);
  for (std::size_t i = 1; i < intervals.size(); ++i) {
    EXPECT_GE(intervals[i], intervals[i - 1]);
    EXPECT_LE(intervals[i], intervals[i - 1] * std::pow(1.01, intervals[i - 1] / 60 + 1)) << "faster than the work";
  }
}

TEST(PacerTest, RecoversWithinThreeOfItsLongestIntervals) {
  std::vector<Work> works = {{0.25, [](double now) { return now < 500 ? 1.7 : 0.0001; }}};
  Simulate(works, 500 + 3 * 1.7 / kBudget);
  EXPECT_EQ(works[0].intervals.back(), 5);
}

TEST(PacerTest, GivesWayToOthersAsTheyGrow) {
  std::vector<Work> works = {{0.25, Always(1)}, {0.25, [](double now) { return now < 1000 ? 0.0001 : 1; }}};
  Simulate(works, 5000);
  EXPECT_NEAR(works[0].intervals.back(), 100, 1);
  EXPECT_NEAR(works[1].intervals.back(), 100, 1);
}

// The budget is scarce: what is expensive takes all that the cheap leave.
std::vector<Work> CheapBesideDear(std::function<double(double)> cheap) {
  return {{0.01, std::move(cheap)}, {0.25, Always(1.7)}, {0.7, Always(0.4)}};
}

TEST(PacerTest, OneRunThatHadToWaitDoesNotPutOffWhatIsCheap) {
  auto works = CheapBesideDear([](double now) { return now == 500 ? 0.1 : 0.0001; });
  Simulate(works, 1000);
  for (const double interval : works[0].intervals) {
    EXPECT_EQ(interval, 5);
  }
}

TEST(PacerTest, NorDoesTheFirstOneWhereItIsExpectedToBeCheap) {
  auto budget = std::make_shared<CpuBudget>(kBudget);
  Pacer dear(kBase, budget, 0.96);
  Pacer cheap(kBase, budget, 0.01);
  cheap.Expect(std::chrono::nanoseconds(0));
  dear.Ran(SteadyClock::now(), seconds(1));
  cheap.Ran(SteadyClock::now(), std::chrono::milliseconds(100));
  EXPECT_EQ(cheap.Interval(), kBase);
  cheap.Ran(SteadyClock::now(), std::chrono::milliseconds(100));
  EXPECT_GT(cheap.Interval(), std::chrono::minutes(1)) << "the second time it is no exception";
}

TEST(PacerTest, ARiseIsFollowedAtTheSecondDearRun) {
  std::vector<Work> works = {{0.25, [](double now) { return now < 500 ? 0.001 : 1.0; }}};
  Simulate(works, 1000);
  const auto& intervals = works[0].intervals;
  ASSERT_GT(intervals.size(), 101U);
  EXPECT_EQ(intervals[99], 5);
  EXPECT_LT(intervals[100], 6) << "one may be an exception";
  EXPECT_GT(intervals[101], 50);
}

TEST(PacerTest, WhatIsAnExceptionEachTimeIsPaidForAllTheSame) {
  // One run in three is expensive: the middle one of three never is.
  int runs = 0;
  std::vector<Work> works = {{0.25, [&runs](double) { return ++runs % 3 == 0 ? 1.0 : 0.001; }}};
  constexpr double kEnd = 100'000;
  Simulate(works, kEnd);
  EXPECT_LE(works[0].spent / kEnd, kBudget * 1.05);
}

TEST(PacerTest, WorkThatCostsWithoutBoundIsStillDoneOnceADay) {
  Pacer pacer(kBase, 0.000001);
  pacer.Ran(SteadyClock::now(), std::chrono::hours(1));
  EXPECT_EQ(pacer.Interval(), std::chrono::hours(24));
}

TEST(PacerTest, IsDueAtFirstAndAgainAfterItsInterval) {
  Pacer pacer(kBase, 1);
  const auto now = SteadyClock::now();
  EXPECT_TRUE(pacer.Due(now));
  pacer.Ran(now, std::chrono::microseconds(10));
  EXPECT_FALSE(pacer.Due(now + seconds(4)));
  EXPECT_TRUE(pacer.Due(now + seconds(5)));
}

}  // namespace
}  // namespace finwait
