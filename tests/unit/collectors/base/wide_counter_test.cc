#include "collectors/base/wide_counter.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

TEST(WideCounterTest, StartsAtTheKernelsValueAndFollowsIt) {
  WideCounter counter;
  EXPECT_EQ(counter.Extend(7), 7U);
  EXPECT_EQ(counter.Extend(7), 7U);
  EXPECT_EQ(counter.Extend(12), 12U);
}

TEST(WideCounterTest, GoesOnWhereTheKernelWrapsAt32Bits) {
  WideCounter counter;
  EXPECT_EQ(counter.Extend(0xffffffff), 0xffffffffU);
  EXPECT_EQ(counter.Extend(0), 0x100000000U);
  EXPECT_EQ(counter.Extend(5), 0x100000005U);
}

}  // namespace
}  // namespace finwait
