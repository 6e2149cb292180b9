#include "collectors/base/duration.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsWhatGoWrites) {
  EXPECT_EQ(ParseDuration("5s"), 5s);
  EXPECT_EQ(ParseDuration("500ms"), 500ms);
  EXPECT_EQ(ParseDuration("1m30s"), 90s);
  EXPECT_EQ(ParseDuration("1h"), 1h);
  EXPECT_EQ(ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(ParseDuration("2h45m0.5s"), 2h + 45min + 500ms);
  EXPECT_EQ(ParseDuration("7us"), 7us);
  EXPECT_EQ(ParseDuration("7\xC2\xB5s"), 7us);
  EXPECT_EQ(ParseDuration("9ns"), 9ns);
  EXPECT_EQ(ParseDuration("0"), 0ns);
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* text : {"", "5", "s", "5 s", "5x", "-5s", "+5s", "5s ", " 5s", "1e3s", "infs", "nans", "5s3", "1d",
                           "0x5s", "10001h", "99999999999999999999999999999999s"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace finwait
