#include "exporter/planning/json_values.h"

#include <cstdint>
#include <string_view>

namespace finwait::planning {
namespace {

using firewall::packet::IntervalSet;
using firewall::packet::Wide;

// Numbers of addresses take up to 128 bits.
std::string WideText(Wide number) {
  return Hex(static_cast<std::uint64_t>(number >> 64U), 16) + Hex(static_cast<std::uint64_t>(number), 16);
}

Wide WideIn(const Json& json) {
  const std::string text = json.get<std::string>();
  Wide number = 0;
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::size_t kLength = 32;
  if (text.size() != kLength) {
    throw Malformed(Quoted(text) + " is not a number of 32 digits");
  }
  for (const char each : text) {
    const std::size_t digit = kDigits.find(each);
    if (digit == std::string_view::npos) {
      throw Malformed(Quoted(text) + " is not a number of 32 digits");
    }
    number = number << 4U | digit;
  }
  return number;
}

}  // namespace

IpAddress AddressIn(const Json& json) {
  const auto address = IpAddress::Parse(json.get<std::string>());
  if (!address) {
    throw Malformed(Quoted(json.get<std::string>()) + " is no address");
  }
  return *address;
}

Endpoint EndIn(const Json& json) {
  const auto end = Endpoint::Parse(json.get<std::string>());
  if (!end) {
    throw Malformed(Quoted(json.get<std::string>()) + " is no address and port");
  }
  return *end;
}

Json RangeJson(const IntervalSet::Interval& range) {
  return Json::array({WideText(range.first), WideText(range.last)});
}

IntervalSet::Interval RangeIn(const Json& json) {
  const IntervalSet::Interval range{WideIn(json.at(0)), WideIn(json.at(1))};
  if (range.last < range.first) {
    throw Malformed("a range ends before it begins");
  }
  return range;
}

}  // namespace finwait::planning
