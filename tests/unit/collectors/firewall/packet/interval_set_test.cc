#include "collectors/firewall/packet/interval_set.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace finwait::firewall::packet {
namespace {

constexpr std::size_t kNumbers = 600;

// As one bit for each number.
std::vector<bool> BitsOf(const IntervalSet& set) {
  std::vector<bool> bits(kNumbers, false);
  for (const IntervalSet::Interval& each : set.Intervals()) {
    for (auto number = static_cast<std::size_t>(each.first); number <= each.last; ++number) {
      bits[number] = true;
    }
  }
  return bits;
}

IntervalSet RandomSet(std::size_t ranges, std::size_t longest, std::mt19937& engine) {
  std::vector<IntervalSet::Interval> intervals;
  for (std::size_t i = 0; i < ranges; ++i) {
    const std::size_t first = engine() % (kNumbers - longest);
    intervals.push_back({first, first + engine() % longest});
  }
  return IntervalSet::Union(std::move(intervals));
}

// Whether its ranges are in order, and neither overlap nor touch.
bool IsInForm(const IntervalSet& set) {
  const auto& intervals = set.Intervals();
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    if (intervals[i].last < intervals[i].first || (i > 0 && intervals[i].first <= intervals[i - 1].last + 1)) {
      return false;
    }
  }
  return true;
}

// Few ranges against many are dealt with otherwise than many against many.
TEST(IntervalSetTest, IntersectionAndDifferenceAreThoseOfTheirNumbers) {
  std::mt19937 engine(20261129);
  std::size_t few_against_many = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    const IntervalSet a = RandomSet(engine() % 200, 1 + engine() % 3, engine);
    const IntervalSet b = RandomSet(engine() % (trial % 2 == 0 ? 9 : 100), 1 + engine() % 60, engine);
    few_against_many += a.Intervals().size() > 64 && b.Intervals().size() <= 8 ? 1 : 0;
    const IntervalSet both = a.Intersection(b);
    const IntervalSet same = b.Intersection(a);
    const IntervalSet only_a = a.Difference(b);
    ASSERT_TRUE(IsInForm(both) && IsInForm(only_a)) << trial;
    ASSERT_EQ(both, same) << trial;
    const std::vector<bool> of_a = BitsOf(a);
    const std::vector<bool> of_b = BitsOf(b);
    const std::vector<bool> of_both = BitsOf(both);
    const std::vector<bool> of_only_a = BitsOf(only_a);
    for (std::size_t number = 0; number < kNumbers; ++number) {
      ASSERT_EQ(of_both[number], of_a[number] && of_b[number]) << trial << ": " << number;
      ASSERT_EQ(of_only_a[number], of_a[number] && !of_b[number]) << trial << ": " << number;
    }
  }
  EXPECT_GT(few_against_many, 500U);
}

}  // namespace
}  // namespace finwait::firewall::packet
