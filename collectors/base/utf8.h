#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace finwait {

/// The first character of a text as UTF-8 (RFC 3629) has it.
struct Utf8Character {
  char32_t code_point = 0;  ///< U+FFFD where the bytes are not UTF-8
  std::size_t bytes = 0;    ///< how many bytes it takes; 1 where they are not UTF-8, 0 only for an empty text
  bool valid = false;
};

/// Decodes the first character of `text`. Overlong forms, surrogates and values above U+10FFFF are not UTF-8.
Utf8Character FirstUtf8Character(std::string_view text);

/// What a reader sees in place of bytes that are not UTF-8.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

}  // namespace finwait
