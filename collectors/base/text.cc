#include "collectors/base/text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "collectors/base/deceptive_ranges.h"
#include "collectors/base/utf8.h"

namespace finwait {
namespace {

constexpr std::size_t kMostQuoted = 64;  // bytes

std::string Escaped(const Utf8Character& character, unsigned char first_byte) {
  if (!character.valid || character.code_point < 0x80) {
    return "\\x" + Hex(first_byte, 2);
  }
  const bool is_short = character.code_point < 0x1'0000;
  return (is_short ? "\\u" : "\\U") + Hex(character.code_point, is_short ? 4 : 8);
}

void AppendPrintable(std::string& printable, const Utf8Character& character, std::string_view bytes) {
  if (!character.valid || IsDeceptive(character.code_point)) {
    printable += Escaped(character, static_cast<unsigned char>(bytes[0]));
  } else {
    printable += bytes;
  }
}

}  // namespace

std::string_view Trim(std::string_view text, std::string_view blanks) {
  const std::size_t first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view WithoutLastDot(std::string_view name) {
  return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  return upper;
}

std::string Hex(std::uint64_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    text += kDigits[(value >> shift) & 0xf];
  }
  return text;
}

int HexDigitValue(char digit) {
  return digit >= '0' && digit <= '9'   ? digit - '0'
         : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
         : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                        : -1;
}

bool IsDeceptive(char32_t character) {
  const auto* const after = std::ranges::upper_bound(kDeceptiveRanges, character, {}, &CharacterRange::first);
  return after != kDeceptiveRanges.begin() && character <= std::prev(after)->last;
}

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const Utf8Character character = FirstUtf8Character(text);
    AppendPrintable(printable, character, text.substr(0, character.bytes));
    text.remove_prefix(character.bytes);
  }
  return printable;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  std::size_t shown = 0;
  while (shown < text.size()) {
    const Utf8Character character = FirstUtf8Character(text.substr(shown));
    if (shown + character.bytes > kMostQuoted) {
      return quoted + "\"...";
    }
    const std::string_view bytes = text.substr(shown, character.bytes);
    if (bytes == "\"" || bytes == "\\") {
      quoted += '\\';
    }
    AppendPrintable(quoted, character, bytes);
    shown += character.bytes;
  }
  return quoted + "\"";
}

std::string Counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}

ReadableDuration InReadableUnit(double seconds) {
  constexpr std::uint64_t kMinute = 60;
  constexpr std::uint64_t kHour = 60 * kMinute;
  constexpr std::uint64_t kDay = 24 * kHour;
  constexpr double kLongest = 1e12;
  const auto whole = static_cast<std::uint64_t>(std::llround(std::clamp(seconds, 0.0, kLongest)));
  if (whole < 2 * kMinute) {
    return {whole, "s"};
  }
  if (whole < 2 * kHour) {
    return {whole / kMinute, "min"};
  }
  return whole < 2 * kDay ? ReadableDuration{whole / kHour, "h"} : ReadableDuration{whole / kDay, "d"};
}

}  // namespace finwait
