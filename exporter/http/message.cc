#include "exporter/http/message.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace finwait::http {

namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool SameFieldName(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return Lower(a) == Lower(b); });
}

std::string HttpDate() {
  // Not strftime's names, which follow the locale.
  constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> day{};
  std::array<char, 40> time{};
  std::strftime(day.data(), day.size(), ", %d ", &parts);
  std::strftime(time.data(), time.size(), " %Y %H:%M:%S GMT", &parts);
  return kDays[static_cast<std::size_t>(parts.tm_wday)] + std::string(day.data()) +
         kMonths[static_cast<std::size_t>(parts.tm_mon)] + time.data();
}

}  // namespace finwait::http
