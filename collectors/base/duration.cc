#include "collectors/base/duration.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

namespace finwait {

namespace {

constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
    // A unit comes before those that its name begins with.
    {"ns", 1},
    {"us", 1'000},
    {"\xC2\xB5s", 1'000},  // U+00B5, the micro sign
    {"\xCE\xBCs", 1'000},  // U+03BC, the Greek letter
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
};
constexpr double kLongestDuration = 10'000.0 * 3'600'000'000'000.0;

}  // namespace

std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  if (text == "0") {  // the one number that needs no unit
    return std::chrono::nanoseconds(0);
  }
  if (text.empty()) {
    return std::nullopt;
  }
  double total = 0;
  while (!text.empty()) {
    if (text[0] == '-') {
      return std::nullopt;
    }
    double number = 0;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(number)) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    std::int64_t nanoseconds = 0;
    for (const auto& [unit, length] : kUnits) {
      if (text.starts_with(unit)) {
        text.remove_prefix(unit.size());
        nanoseconds = length;
        break;
      }
    }
    total += number * static_cast<double>(nanoseconds);
    if (nanoseconds == 0 || total > kLongestDuration) {
      return std::nullopt;
    }
  }
  return std::chrono::nanoseconds(std::llround(total));
}

}  // namespace finwait
