#include "collectors/base/utf8.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

TEST(Utf8, DecodesCharactersOfEveryLength) {
  const struct {
    std::string_view text;
    char32_t code_point;
  } kCases[] = {{"a", U'a'},
                {"\x7F", 0x7F},
                {"\xC2\x80", 0x80},
                {"\xC3\xA9", 0xE9},
                {"\xE0\xA0\x80", 0x800},
                {"\xEF\xBF\xBD", 0xFFFD},
                {"\xF0\x9F\x98\x80", 0x1F600},
                {"\xF4\x8F\xBF\xBF", 0x10FFFF}};
  for (const auto& [text, code_point] : kCases) {
    const Utf8Character character = FirstUtf8Character(std::string(text) + "z");
    EXPECT_TRUE(character.valid);
    EXPECT_EQ(character.code_point, code_point);
    EXPECT_EQ(character.bytes, text.size());
  }
}

TEST(Utf8, TakesOneByteOfWhatIsNotUtf8) {
  for (const std::string_view text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3z", "\xE0\x80\x80", "\xED\xA0\x80",
                                      "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82"}) {
    const Utf8Character character = FirstUtf8Character(text);
    EXPECT_FALSE(character.valid);
    EXPECT_EQ(character.code_point, 0xFFFDu);
    EXPECT_EQ(character.bytes, 1u);
  }
}

TEST(Utf8, AnEmptyTextHasNoCharacter) { EXPECT_EQ(FirstUtf8Character("").bytes, 0u); }

}  // namespace
}  // namespace finwait
