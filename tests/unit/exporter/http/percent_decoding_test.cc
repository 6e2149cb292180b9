#include "exporter/http/percent_decoding.h"

#include <gtest/gtest.h>

namespace finwait::http {
namespace {

TEST(PercentDecode, TakesTwoHexadecimalDigitsForOneByte) {
  EXPECT_EQ(PercentDecode("/metrics"), "/metrics");
  EXPECT_EQ(PercentDecode("%2Fa%2fb%00"), std::string("/a/b\0", 5));
  EXPECT_EQ(PercentDecode(""), "");
}

TEST(PercentDecode, RefusesWhatStandsForNoByte) {
  for (const char* text : {"%", "a%2", "%g0", "%0g", "%%41"}) {
    EXPECT_EQ(PercentDecode(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace finwait::http
