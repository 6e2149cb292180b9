#include "collectors/witness/table_walker.h"

#include <gtest/gtest.h>

namespace finwait::witness {
namespace {

TEST(IsWholeTest, AWalkOfATableThatHoldsStillSeesAllOfIt) {
  EXPECT_TRUE(IsWhole(100'000, 100'000, 100'000));
  EXPECT_TRUE(IsWhole(99'500, 100'000, 100'000)) << "some are counted before they are in the table";
  EXPECT_FALSE(IsWhole(98'000, 100'000, 100'000));
  EXPECT_FALSE(IsWhole(102'000, 100'000, 100'000));
  EXPECT_FALSE(IsWhole(0, 100'000, 100'000)) << "a table that is at another place now";
}

TEST(IsWholeTest, ATableThatChangesALittleHoldsStill) {
  EXPECT_TRUE(IsWhole(100'000, 99'500, 101'000));
  EXPECT_FALSE(IsWhole(100'000, 95'000, 100'000)) << "what was walked before five in a hundred went is gone";
}

TEST(IsWholeTest, AFlushIsSeenWhateverTheWalkSaw) {
  for (const std::uint64_t seen : {0, 30'000, 100'000}) {
    EXPECT_FALSE(IsWhole(seen, 0, 100'000)) << seen;
  }
}

}  // namespace
}  // namespace finwait::witness
