#include "collectors/base/quote.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

TEST(Quoted, PutsPlainTextBetweenQuotes) { EXPECT_EQ(Quoted("60 s"), R"("60 s")"); }

TEST(Quoted, EscapesWhatWouldBreakALineOrItsQuotes) {
  EXPECT_EQ(Quoted(std::string_view("a\n\"\\\x7f\xff\0z", 8)), R"("a\x0a\"\\\x7f\xff\x00z")");
}

TEST(Quoted, ShowsSixtyFourBytesAndSaysThatMoreFollowed) {
  EXPECT_EQ(Quoted(std::string(64, 'x')), '"' + std::string(64, 'x') + '"');
  EXPECT_EQ(Quoted(std::string(65, 'x')), '"' + std::string(64, 'x') + "\"...");
}

}  // namespace
}  // namespace finwait
