#include "exporter/views/page/html.h"

#include <algorithm>
#include <cmath>

#include "collectors/base/text.h"
#include "collectors/base/utf8.h"

namespace finwait::views::page::html {
namespace {

constexpr std::string_view kNoBreakSpace = "\xC2\xA0";
constexpr std::string_view kNarrowSpace = "\xE2\x80\xAF";

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
    if (!letter.valid || (IsDeceptive(letter.code_point) && letter.code_point != '\n' && letter.code_point != '\t')) {
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
  const ReadableDuration duration = InReadableUnit(seconds);
  return WithUnit(static_cast<std::int64_t>(duration.number), duration.unit);
}

std::string Count(std::uint64_t number, std::string_view one, std::string_view many) {
  return Number(number) + " " + std::string(number == 1 ? one : many);
}

}  // namespace finwait::views::page::html
