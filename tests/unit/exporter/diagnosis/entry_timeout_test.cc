#include "exporter/diagnosis/entry_timeout.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using std::chrono::seconds;

TEST(OwnTimeoutCountTest, AddUpToTheirNumberAndTheShortest) {
  OwnTimeoutCount timeouts;
  timeouts.Add(seconds(100));
  timeouts.Add(seconds(90));
  OwnTimeoutCount none;
  none += timeouts;
  none += OwnTimeoutCount();
  EXPECT_EQ(none.entries, 2U);
  EXPECT_EQ(none.shortest, seconds(90));
}

}  // namespace
}  // namespace finwait::diagnosis
