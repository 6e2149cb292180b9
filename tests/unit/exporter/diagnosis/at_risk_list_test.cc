#include "exporter/diagnosis/at_risk_list.h"

#include <gtest/gtest.h>

#include <utility>

namespace finwait::diagnosis {
namespace {

std::vector<std::pair<std::size_t, std::uint64_t>> Taken(AtRiskList& list) {
  std::vector<std::pair<std::size_t, std::uint64_t>> taken;
  for (const AtRiskList::Listed& one : list.Take()) {
    taken.emplace_back(one.position, one.stands_for);
  }
  return taken;
}

using Expected = std::vector<std::pair<std::size_t, std::uint64_t>>;

TEST(AtRiskListTest, OneOfEachRuleFateAndKindStandsForTheOthersTheLargestFirst) {
  AtRiskList list(10);
  list.Add(0, Fate::kFinDropped, 1, false);
  list.Add(1, Fate::kFinDropped, 2, false);
  list.Add(2, Fate::kFinDropped, 2, false);
  list.Add(3, Fate::kFinDropped, 2, true);
  list.Add(4, Fate::kPeerFinDropped, 2, false);
  EXPECT_EQ(Taken(list), Expected({{1, 2}, {0, 1}, {3, 1}, {4, 1}, {2, 0}}));
  EXPECT_TRUE(list.IsComplete());
}

TEST(AtRiskListTest, WithoutARuleEachStandsForItselfUnlessItsNatIsLost) {
  AtRiskList list(10);
  list.Add(0, Fate::kUnknown, 0, false);
  list.Add(1, Fate::kUnknown, 0, false);
  list.Add(2, Fate::kNatLost, 0, false);
  list.Add(3, Fate::kNatLost, 0, false);
  EXPECT_EQ(Taken(list), Expected({{2, 2}, {0, 1}, {1, 1}, {3, 0}}));
  EXPECT_TRUE(list.IsComplete());
}

TEST(AtRiskListTest, TheLastRuleOfABoundedListIsStillNamedAmongThousands) {
  AtRiskList list(2);
  for (std::size_t i = 0; i < 3000; ++i) {
    list.Add(i, Fate::kFinDropped, i < 2999 ? 1 : 2, false);
  }
  EXPECT_EQ(Taken(list), Expected({{0, 2999}, {2999, 1}}));
  EXPECT_TRUE(list.IsComplete());
}

TEST(AtRiskListTest, MoreRulesThanAreListedMakeItIncomplete) {
  AtRiskList list(2);
  for (std::uint16_t site = 1; site <= 3; ++site) {
    list.Add(site, Fate::kFinDropped, site, false);
  }
  EXPECT_EQ(Taken(list), Expected({{1, 1}, {2, 1}}));
  EXPECT_FALSE(list.IsComplete());
  AtRiskList single(1);
  single.Add(0, Fate::kUnknown, 0, false);
  single.Add(1, Fate::kFinDropped, 1, false);
  EXPECT_EQ(Taken(single), Expected({{1, 1}}));
  EXPECT_FALSE(single.IsComplete());
}

}  // namespace
}  // namespace finwait::diagnosis
