#include "collectors/base/utf8.h"

#include <cstdint>

namespace finwait {

namespace {

/// The number of bytes that a leading byte announces, 0 where it cannot lead.
std::size_t AnnouncedBytes(std::uint8_t lead) {
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return 2;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    return 3;
  }
  return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/// The smallest code point that needs so many bytes; anything below is an overlong form.
char32_t SmallestOf(std::size_t bytes) { return bytes == 2 ? 0x80 : bytes == 3 ? 0x800 : bytes == 4 ? 0x10000 : 0; }

}  // namespace

Utf8Character FirstUtf8Character(std::string_view text) {
  constexpr Utf8Character kInvalid{0xFFFD, 1, false};
  if (text.empty()) {
    return {};
  }
  const auto lead = static_cast<std::uint8_t>(text[0]);
  const std::size_t bytes = AnnouncedBytes(lead);
  if (bytes == 0 || bytes > text.size()) {
    return kInvalid;
  }
  if (bytes == 1) {
    return {lead, 1, true};
  }
  auto code_point = static_cast<char32_t>(lead & (0xFF >> (bytes + 1)));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto continuation = static_cast<std::uint8_t>(text[i]);
    if ((continuation & 0xC0) != 0x80) {
      return kInvalid;
    }
    code_point = (code_point << 6) | (continuation & 0x3F);
  }
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < SmallestOf(bytes) || code_point > 0x10FFFF || surrogate) {
    return kInvalid;
  }
  return {code_point, bytes, true};
}

}  // namespace finwait
