#include "collectors/base/text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "collectors/base/deceptive_ranges.h"

namespace finwait {
namespace {

TEST(ParseNumber, TakesANumberThatFillsTheTextAndFits) {
  EXPECT_EQ(ParseNumber<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(ParseNumber<std::int64_t>("-12"), -12);
  EXPECT_EQ(ParseNumber<std::uint64_t>("18446744073709551615"), UINT64_MAX);
}

TEST(ParseNumber, RefusesEverythingElse) {
  for (const char* text : {"", " 1", "1 ", "1\n", "+1", "-1", "-0", "0x10", "1.0", "1e3", "65536", "one"}) {
    EXPECT_EQ(ParseNumber<std::uint16_t>(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseNumber<std::uint16_t>(std::string_view("1\0", 2)), std::nullopt);
}

TEST(ParseNumber, TakesAFractionWhereTheTypeHasOne) {
  EXPECT_EQ(ParseNumber<double>("0.25"), 0.25);
  EXPECT_EQ(ParseNumber<double>("0.25 "), std::nullopt);
}

TEST(ParseHex, TakesDigitsOfEitherCaseThatFillTheTextAndFit) {
  EXPECT_EQ(ParseHex<std::uint16_t>("0aF"), 0xaf);
  EXPECT_EQ(ParseHex<std::uint32_t>("FFFFFFFF"), 0xffffffff);
  for (const char* text : {"", "0x1", " 1", "1 ", "-1", "g", "10000"}) {
    EXPECT_EQ(ParseHex<std::uint16_t>(text), std::nullopt) << text;
  }
}

TEST(Words, AreWhatStandsBetweenBlanks) {
  Words words(" \t1:  0100007F:0035\tx ");
  EXPECT_EQ(words.Next(), "1:");
  EXPECT_EQ(words.Next(), "0100007F:0035");
  EXPECT_EQ(words.Next(), "x");
  EXPECT_EQ(words.Next(), "");
  EXPECT_EQ(words.Next(), "");
  EXPECT_EQ(Words("").Next(), "");
}

TEST(Trim, TakesBlanksOffBothEnds) {
  EXPECT_EQ(Trim(" \ta b\t "), "a b");
  EXPECT_EQ(Trim(" \t"), "");
  EXPECT_EQ(Trim("\na"), "\na");
}

TEST(Hex, WritesLeadingZerosAndReadsBothCases) {
  EXPECT_EQ(Hex(0x2e, 4), "002e");
  EXPECT_EQ(Hex(0xabc, 2), "bc");
  EXPECT_EQ(HexDigitValue('0'), 0);
  EXPECT_EQ(HexDigitValue('f'), 15);
  EXPECT_EQ(HexDigitValue('F'), 15);
  EXPECT_EQ(HexDigitValue('g'), -1);
}

TEST(Printable, LeavesTextOfAnyLanguageAsItIs) {
  for (const char* text : {"web 443", "Zürich", "日本", "a\\b", "😀"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(Printable, ShowsWhatATerminalWouldActOn) {
  EXPECT_EQ(Printable("\x1b[31m\n\x7f"), R"(\x1b[31m\x0a\x7f)");
  EXPECT_EQ(Printable("\u009b31m red \u009d0;title\u009c"), R"(\u009b31m red \u009d0;title\u009c)");
  EXPECT_EQ(Printable("accept \u202e pord \u2066 \u200f \u061c"), R"(accept \u202e pord \u2066 \u200f \u061c)");
  EXPECT_EQ(Printable("line\u2028break\u2029"), R"(line\u2028break\u2029)");
}

TEST(Printable, ShowsWhatIsNotSeen) {
  EXPECT_EQ(Printable("ad\u00admin\u200b\u2060 \ufeff\ufff9"), R"(ad\u00admin\u200b\u2060 \ufeff\ufff9)");
}

TEST(Printable, ShowsTheWholeKindBeyondFourDigits) {
  EXPECT_EQ(Printable("a\U000e0041\U000e007f b"), R"(a\U000e0041\U000e007f b)") << "tags";
  EXPECT_EQ(Printable("\ufe0f\U000e0100\u034f\u3164"), R"(\ufe0f\U000e0100\u034f\u3164)") << "selectors, fillers";
  EXPECT_EQ(Printable("\ue000\U0010fffd\uffff"), R"(\ue000\U0010fffd\uffff)") << "private, no characters";
}

TEST(IsDeceptive, EndsWhereEachRangeEnds) {
  for (const CharacterRange& range : kDeceptiveRanges) {
    EXPECT_TRUE(IsDeceptive(range.first) && IsDeceptive(range.last)) << Hex(range.first, 6);
    EXPECT_FALSE(range.first > 0 && IsDeceptive(range.first - 1)) << Hex(range.first, 6);
    EXPECT_FALSE(range.last < 0x10FFFF && IsDeceptive(range.last + 1)) << Hex(range.last, 6);
  }
}

TEST(Printable, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(Printable("a\x9b\xff z"), R"(a\x9b\xff z)");
  EXPECT_EQ(Printable("\xc0\x80"), R"(\xc0\x80)") << "an overlong form";
  EXPECT_EQ(Printable("\xe2\x80"), R"(\xe2\x80)") << "cut short";
}

TEST(Quoted, PutsPlainTextBetweenQuotes) { EXPECT_EQ(Quoted("60 s"), R"("60 s")"); }

TEST(Quoted, EscapesWhatWouldBreakALineOrItsQuotes) {
  EXPECT_EQ(Quoted(std::string_view("a\n\"\\\x7f\xff\0z", 8)), R"("a\x0a\"\\\x7f\xff\x00z")");
}

TEST(Quoted, ShowsSixtyFourBytesAndSaysThatMoreFollowed) {
  EXPECT_EQ(Quoted(std::string(64, 'x')), '"' + std::string(64, 'x') + '"');
  EXPECT_EQ(Quoted(std::string(65, 'x')), '"' + std::string(64, 'x') + "\"...");
}

TEST(Quoted, CutsBetweenCharacters) {
  EXPECT_EQ(Quoted(std::string(63, 'x') + "ü"), '"' + std::string(63, 'x') + "\"...");
}

TEST(Counted, UsesTheSingularForOneOnly) {
  EXPECT_EQ(Counted(0, "socket", "sockets"), "0 sockets");
  EXPECT_EQ(Counted(1, "socket", "sockets"), "1 socket");
  EXPECT_EQ(Counted(2, "socket", "sockets"), "2 sockets");
}

TEST(InReadableUnit, TakesTheLargestUnitThatItHasTwoOf) {
  const auto text = [](double seconds) {
    const ReadableDuration duration = InReadableUnit(seconds);
    return std::to_string(duration.number) + " " + std::string(duration.unit);
  };
  EXPECT_EQ(text(-1), "0 s");
  EXPECT_EQ(text(119), "119 s");
  EXPECT_EQ(text(120), "2 min");
  EXPECT_EQ(text(7199), "119 min");
  EXPECT_EQ(text(7200), "2 h");
  EXPECT_EQ(text(432'000), "5 d");
}

TEST(WithoutLastDot, TakesOffTheDotOfTheRoot) {
  EXPECT_EQ(WithoutLastDot("host.example."), "host.example");
  EXPECT_EQ(WithoutLastDot("host.example"), "host.example");
  EXPECT_EQ(WithoutLastDot("."), "");
  EXPECT_EQ(WithoutLastDot(""), "");
}

}  // namespace
}  // namespace finwait
