#include "exporter/views/page/html.h"

#include <algorithm>
#include <cmath>

#include "collectors/base/utf8.h"

namespace finwait::views::page::html {
namespace {

constexpr std::string_view kNoBreakSpace = "\xC2\xA0";
constexpr std::string_view kNarrowSpace = "\xE2\x80\xAF";

bool IsControl(char32_t letter) {
  return (letter < 0x20 && letter != '\n' && letter != '\t') || (letter >= 0x7F && letter < 0xA0);
}

// Unicode's explicit directional formatting characters (UAX #9, table 1).
bool TurnsDirection(char32_t letter) {
  return letter == 0x061C || letter == 0x200E || letter == 0x200F || (letter >= 0x202A && letter <= 0x202E) ||
         (letter >= 0x2066 && letter <= 0x2069);
}

std::string_view Entity(char32_t letter) {
  switch (letter) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return "";
  }
}

std::string WithUnit(std::int64_t number, std::string_view unit) {
  return std::to_string(number).append(kNoBreakSpace).append(unit);
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character letter = FirstUtf8Character(text);
    if (!letter.valid || IsControl(letter.code_point) || TurnsDirection(letter.code_point)) {
      escaped += kReplacementCharacter;
    } else if (const std::string_view entity = Entity(letter.code_point); !entity.empty()) {
      escaped += entity;
    } else {
      escaped += text.substr(0, letter.bytes);
    }
    text.remove_prefix(letter.bytes);
  }
  return escaped;
}

std::string Prose(std::string_view text) {
  std::string prose;
  for (;;) {
    const std::size_t open = text.find('`');
    const std::size_t close = open == std::string_view::npos ? open : text.find('`', open + 1);
    if (close == std::string_view::npos) {
      return prose + Escape(text);
    }
    prose += Escape(text.substr(0, open)) + "<code>" + Escape(text.substr(open + 1, close - open - 1)) + "</code>";
    text.remove_prefix(close + 1);
  }
}

std::string Command(std::string_view command) {
  return "<span class=\"command\"><code class=\"detail\">" + Escape(command) +
         "</code><button type=\"button\" class=\"copy\" hidden>Copy</button></span>";
}

std::string Number(std::uint64_t number) {
  constexpr std::size_t kGroup = 3;
  std::string digits = std::to_string(number);
  for (std::size_t end = digits.size(); end > kGroup; end -= kGroup) {
    digits.insert(end - kGroup, kNarrowSpace);
  }
  return digits;
}

std::string Percent(double share) {
  const auto permille = std::lround(std::clamp(share, 0.0, 1.0) * 1000);
  std::string text = std::to_string(permille / 10);
  if (permille % 10 != 0) {
    text += "." + std::to_string(permille % 10);
  }
  return text + "%";
}

std::string Duration(double seconds) {
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e12)));
  if (whole < 2 * kMinute) {
    return WithUnit(whole, "s");
  }
  if (whole < 2 * kHour) {
    return WithUnit(whole / kMinute, "min");
  }
  return whole < 2 * kDay ? WithUnit(whole / kHour, "h") : WithUnit(whole / kDay, "d");
}

std::string Count(std::uint64_t number, std::string_view one, std::string_view many) {
  return Number(number) + " " + std::string(number == 1 ? one : many);
}

}  // namespace finwait::views::page::html
