#include "collectors/base/cookie_table.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

TEST(CookieTableTest, FindsWhatWasSetLast) {
  CookieTable<int> table;
  EXPECT_EQ(table.Find(0), nullptr);
  table.Set(0, 1);
  table.Set(7, 2);
  table.Set(7, 3);
  EXPECT_EQ(*table.Find(0), 1);
  EXPECT_EQ(*table.Find(7), 3);
  EXPECT_EQ(table.Find(8), nullptr);
  EXPECT_EQ(table.Size(), 2U);
}

TEST(CookieTableTest, KeepsApartManyWhoseLowBitsAreAlike) {
  CookieTable<std::uint64_t> table;
  constexpr std::uint64_t kMany = 50'000;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    table.Set(i << 20, i);
  }
  EXPECT_EQ(table.Size(), kMany);
  for (std::uint64_t i = 0; i < kMany; ++i) {
    ASSERT_NE(table.Find(i << 20), nullptr) << i;
    EXPECT_EQ(*table.Find(i << 20), i);
    EXPECT_EQ(table.Find((i << 20) + 1), nullptr);
  }
}

TEST(CookieTableTest, ASocketWithoutACookieIsNotRemembered) {
  CookieTable<int> table;
  table.Set(~std::uint64_t{0}, 1);  // INET_DIAG_NOCOOKIE
  EXPECT_EQ(table.Size(), 0U);
}

}  // namespace
}  // namespace finwait
