// The account, simulated: a host whose connections come at made-up rates.

#include "collectors/kernel/listening_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

namespace finwait::kernel {
namespace {

using std::chrono::duration;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

double Seconds(duration<double> length) { return length.count(); }

struct Outcome {
  double spent = 0;  // CPU seconds
  double listened = 0;
  std::vector<double> stints;
  std::vector<double> pauses;
  double end = 0;
};

// Listens and pauses as told from second 0 to `end`; `rate` is the entries made a second, at a second.
Outcome Simulate(const ListeningLimits& limits, double end, const std::function<double(double)>& rate) {
  ListeningBudget budget(limits);
  Outcome outcome;
  double stint = 0;
  double now = 0;
  while (now < end) {
    const auto check = budget.NextCheck();
    now += Seconds(check);
    stint += Seconds(check);
    outcome.listened += Seconds(check);
    outcome.spent += Seconds(check) * rate(now) * Seconds(limits.entry_cost);
    if (const auto pause = budget.Charge(check, rate(now))) {
      outcome.stints.push_back(stint);
      outcome.pauses.push_back(Seconds(*pause));
      stint = 0;
      now += Seconds(*pause);
    }
  }
  outcome.end = now;
  return outcome;
}

Outcome SimulateSteady(double rate, double end = 36'000) {
  return Simulate({}, end, [&](double) { return rate; });
}

TEST(ListeningBudgetTest, ListensAlwaysWhileTheShareOfTheCorePaysForIt) {
  for (const double rate : {0.0, 100.0, 6000.0, 6550.0}) {
    EXPECT_TRUE(SimulateSteady(rate).pauses.empty()) << rate;
  }
}

TEST(ListeningBudgetTest, BeyondThatItCostsTheShareOnAverageHoweverManyEntriesAreMade) {
  for (const double rate : {6'700.0, 10'000.0, 20'000.0, 50'000.0, 100'000.0}) {
    const Outcome outcome = SimulateSteady(rate);
    EXPECT_FALSE(outcome.pauses.empty()) << rate;
    // The reserve that was there at the start comes once on top.
    const double expected = 0.02 * outcome.end + 0.02 * 60;
    EXPECT_NEAR(outcome.spent / expected, 1, 0.01) << rate;
    EXPECT_NEAR(outcome.listened / outcome.end, 0.02 / (rate * 3.05e-6), 0.01) << rate;
  }
}

TEST(ListeningBudgetTest, AtASteadyRatePausesLastFromAQuarterOfTheReserveToTwice) {
  for (const double rate : {7'000.0, 20'000.0, 100'000.0, 1e6}) {
    const Outcome outcome = SimulateSteady(rate);
    for (const double pause : outcome.pauses) {
      EXPECT_GE(pause, 15) << rate;
      EXPECT_LE(pause, 120) << rate;
    }
    for (const double stint : outcome.stints) {
      EXPECT_GE(stint, 1) << "no storm of subscriptions at " << rate;
    }
    EXPECT_LT(static_cast<double>(outcome.pauses.size()) / outcome.end, 1 / 15.0) << rate;
  }
}

TEST(ListeningBudgetTest, TheFirstPauseComesOnlyAfterTheReserveIsSpent) {
  // 6.1 % of a core is spent and 2 % granted: 1.2 s of CPU last for 29 s.
  EXPECT_NEAR(SimulateSteady(20'000).stints.front(), 1.2 / (0.061 - 0.02), 3);
}

TEST(ListeningBudgetTest, ABurstAloneDoesNotMakeItPause) {
  const auto burst = [](double from, double length, double rate) {
    return [=](double now) { return now >= from && now < from + length ? rate : 1000.0; };
  };
  EXPECT_TRUE(Simulate({}, 3600, burst(600, 3, 60'000)).pauses.empty());
  EXPECT_TRUE(Simulate({}, 3600, burst(600, 20, 20'000)).pauses.empty());
  EXPECT_FALSE(Simulate({}, 3600, burst(600, 60, 20'000)).pauses.empty()) << "what goes on does";
}

TEST(ListeningBudgetTest, ListensAllTheTimeAgainOnceThereIsLessToPayFor) {
  const Outcome outcome = Simulate({}, 7200, [](double now) { return now < 3600 ? 30'000.0 : 3000.0; });
  const Outcome first_half = Simulate({}, 3600, [](double) { return 30'000.0; });
  EXPECT_EQ(outcome.pauses.size(), first_half.pauses.size());
}

TEST(ListeningBudgetTest, APauseEndsEvenAfterAnAbsurdCharge) {
  ListeningBudget budget({});
  const auto pause = budget.Charge(hours(1), 1e12);
  ASSERT_TRUE(pause.has_value());
  EXPECT_LE(*pause, seconds(120));
  EXPECT_FALSE(budget.Charge(seconds(2), 0).has_value()) << "the account is refilled by then";
}

TEST(ListeningBudgetTest, ChecksAreSpreadAroundTheirInterval) {
  ListeningBudget budget({});
  double sum = 0;
  std::set<SteadyClock::duration> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto check = budget.NextCheck();
    EXPECT_GE(check, seconds(1));
    EXPECT_LE(check, seconds(3));
    sum += Seconds(check);
    seen.insert(check);
  }
  EXPECT_NEAR(sum / 1000, 2, 0.1);
  EXPECT_GT(seen.size(), 900U);
}

}  // namespace
}  // namespace finwait::kernel
