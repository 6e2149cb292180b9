#pragma once

#include <array>

namespace finwait {

/// First and last of a run of characters.
struct CharacterRange {
  char32_t first;
  char32_t last;
};

/// What is no text by itself, in order: Unicode's general categories Cc, Cf, Co, Zl and Zp, what fonts leave out
/// (Default_Ignorable_Code_Point, variation selectors and places kept for such), and noncharacters. Unicode 15;
/// tests/attack/names.py holds it against the data of the system.
inline constexpr std::array<CharacterRange, 43> kDeceptiveRanges = {{
    {0x0, 0x1F},          // C0 controls
    {0x7F, 0x9F},         // DEL, C1 controls
    {0xAD, 0xAD},         // soft hyphen
    {0x34F, 0x34F},       // grapheme joiner
    {0x600, 0x605},       // Arabic number signs
    {0x61C, 0x61C},       // Arabic letter mark
    {0x6DD, 0x6DD},       // Arabic end of ayah
    {0x70F, 0x70F},       // Syriac abbreviation mark
    {0x890, 0x891},       // Arabic pound and piastre marks
    {0x8E2, 0x8E2},       // Arabic disputed end of ayah
    {0x115F, 0x1160},     // Hangul fillers
    {0x17B4, 0x17B5},     // Khmer inherent vowels
    {0x180B, 0x180F},     // Mongolian selectors, vowel separator
    {0x200B, 0x200F},     // zero width, direction marks
    {0x2028, 0x202E},     // line and paragraph separators, embeddings
    {0x2060, 0x206F},     // invisible operators, isolates
    {0x3164, 0x3164},     // Hangul filler
    {0xE000, 0xF8FF},     // private use
    {0xFDD0, 0xFDEF},     // noncharacters
    {0xFE00, 0xFE0F},     // variation selectors
    {0xFEFF, 0xFEFF},     // byte order mark
    {0xFFA0, 0xFFA0},     // Hangul filler
    {0xFFF0, 0xFFFB},     // annotations
    {0xFFFE, 0xFFFF},     // noncharacters
    {0x110BD, 0x110BD},   // Kaithi number sign
    {0x110CD, 0x110CD},   // Kaithi number sign above
    {0x13430, 0x1343F},   // Egyptian format controls
    {0x1BCA0, 0x1BCA3},   // shorthand format controls
    {0x1D173, 0x1D17A},   // musical format controls
    {0x1FFFE, 0x1FFFF},   // noncharacters
    {0x2FFFE, 0x2FFFF},   // noncharacters
    {0x3FFFE, 0x3FFFF},   // noncharacters
    {0x4FFFE, 0x4FFFF},   // noncharacters
    {0x5FFFE, 0x5FFFF},   // noncharacters
    {0x6FFFE, 0x6FFFF},   // noncharacters
    {0x7FFFE, 0x7FFFF},   // noncharacters
    {0x8FFFE, 0x8FFFF},   // noncharacters
    {0x9FFFE, 0x9FFFF},   // noncharacters
    {0xAFFFE, 0xAFFFF},   // noncharacters
    {0xBFFFE, 0xBFFFF},   // noncharacters
    {0xCFFFE, 0xCFFFF},   // noncharacters
    {0xDFFFE, 0xE0FFF},   // noncharacters
    {0xEFFFE, 0x10FFFF},  // noncharacters
}};

}  // namespace finwait
