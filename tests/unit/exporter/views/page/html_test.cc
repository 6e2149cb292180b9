#include "exporter/views/page/html.h"

#include <gtest/gtest.h>

namespace finwait::views::page::html {
namespace {

TEST(HtmlTest, EveryCharacterThatMeansSomethingInHtmlIsEscaped) {
  EXPECT_EQ(Escape(R"(<script>alert("1" & '2')</script>)"),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
}

TEST(HtmlTest, TextBeyondAsciiStaysAsItIs) { EXPECT_EQ(Escape("Zähler → 漢字"), "Zähler → 漢字"); }

TEST(HtmlTest, WhatIsNotUtf8IsReplacedByteForByteAndSwallowsNothing) {
  EXPECT_EQ(Escape("a\xC3<b"), "a\xEF\xBF\xBD&lt;b") << "a lead byte must not take the < with it";
  EXPECT_EQ(Escape("\xC0\xBC"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong <";
}

TEST(HtmlTest, ControlCharactersAndTurnsOfDirectionAreReplaced) {
  EXPECT_EQ(Escape(std::string_view("a\0b\x1b[31m", 8)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD[31m");
  EXPECT_EQ(Escape("a\xC2\x85"
                   "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(Escape("x\u202Ey\u2066z\u200F"), "x\xEF\xBF\xBDy\xEF\xBF\xBDz\xEF\xBF\xBD");
}

TEST(HtmlTest, WhatStandsBetweenBackticksIsCodeAndStillEscaped) {
  EXPECT_EQ(Prose("run `ss -K <x>` & wait"), "run <code>ss -K &lt;x&gt;</code> &amp; wait");
  EXPECT_EQ(Prose("one ` alone <"), "one ` alone &lt;");
}

TEST(HtmlTest, NumbersHaveTheirThousandsApart) {
  EXPECT_EQ(Number(0), "0");
  EXPECT_EQ(Number(999), "999");
  EXPECT_EQ(Number(1234567), "1\u202F234\u202F567");
}

TEST(HtmlTest, SharesArePercentagesOfTheWidthAndNeverLeaveIt) {
  EXPECT_EQ(Percent(0.2554), "25.5%");
  EXPECT_EQ(Percent(1), "100%");
  EXPECT_EQ(Percent(1.7), "100%");
  EXPECT_EQ(Percent(-0.1), "0%");
}

TEST(HtmlTest, DurationsAreInTheLargestUnitThatSaysThemWell) {
  EXPECT_EQ(Duration(5), "5\u00A0s");
  EXPECT_EQ(Duration(119), "119\u00A0s");
  EXPECT_EQ(Duration(300), "5\u00A0min");
  EXPECT_EQ(Duration(7200), "2\u00A0h");
  EXPECT_EQ(Duration(432000), "5\u00A0d");
  EXPECT_EQ(Duration(-1), "0\u00A0s");
}

TEST(HtmlTest, OneIsSingular) {
  EXPECT_EQ(Count(1, "entry", "entries"), "1 entry");
  EXPECT_EQ(Count(0, "entry", "entries"), "0 entries");
}

}  // namespace
}  // namespace finwait::views::page::html
