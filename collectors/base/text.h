#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace finwait {

/// A decimal number that fills all of `text` and fits T: no space, no base prefix, no plus sign, and a minus sign only
/// where T is signed. A fraction or an exponent only where T is a floating point type.
template <typename T>
requires std::is_arithmetic_v<T> std::optional<T> ParseNumber(std::string_view text) {
  T value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// A hexadecimal number that fills all of `text`, in digits of either case, and fits T. As ParseNumber() otherwise.
template <typename T>
requires std::is_unsigned_v<T> std::optional<T> ParseHex(std::string_view text) {
  T value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (problem != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// The words of a line, one after the other: what stands between blanks (space, tab). Views into the line.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  /// "" when there is no more.
  std::string_view Next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
    const std::string_view word = rest_.substr(0, rest_.find_first_of(kBlanks));
    rest_.remove_prefix(word.size());
    return word;
  }

 private:
  static constexpr std::string_view kBlanks = " \t";
  std::string_view rest_;
};

/// `text` without what surrounds it of `blanks`.
std::string_view Trim(std::string_view text, std::string_view blanks = " \t");

/// A name of DNS without the dot of the root that may end it.
std::string_view WithoutLastDot(std::string_view name);

/// ASCII letters in upper case.
std::string UpperCase(std::string_view text);

/// The last `digits` digits of `value` in lower case, with leading zeros.
std::string Hex(std::uint64_t value, int digits);
/// What a hexadecimal digit of either case stands for; -1 for any other character.
int HexDigitValue(char digit);

/// Whether a terminal, a pager or a log reader may take the character for something else than text: C0 and C1 controls
/// (U+009B starts a terminal's command), DEL, line and paragraph separators, controls that change the direction of what
/// follows, and what is not seen at all (U+200B, U+FEFF), also beyond the Basic Multilingual Plane (U+E0020).
bool IsDeceptive(char32_t character);

/// `text` fit for a terminal: a byte that is not UTF-8 and a deceptive ASCII character appear as \xNN, other deceptive
/// characters as \uNNNN. A backslash of `text` itself stays as it is.
std::string Printable(std::string_view text);

/// `text` between double quotes, fit for one line of an error message: Printable(), with its quotes and backslashes
/// escaped. At most 64 bytes of it are shown ("..." follows where more was there), no character in part.
std::string Quoted(std::string_view text);

/// "1 socket", "3 sockets".
std::string Counted(std::uint64_t number, std::string_view one, std::string_view many);

/// A length of time in the unit that a person takes in at a glance.
struct ReadableDuration {
  std::uint64_t number = 0;
  std::string_view unit;  ///< "s", "min", "h" or "d"
};
/// Rounded to seconds, then down to the largest unit of which it has at least two. Below 0 is 0; bounded at 1e12 s.
ReadableDuration InReadableUnit(double seconds);

}  // namespace finwait
