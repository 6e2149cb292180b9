#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/base/text.h"
#include "collectors/firewall/packet/interval_set.h"

/// What the forms of a report are made of. A function named ...Json writes a thing, and the one named ...In reads it.
/// These throw as nlohmann::json does where a value is missing or of another type, and Malformed where it says what
/// cannot be: a report comes from anywhere.
namespace finwait::planning {

using Json = nlohmann::ordered_json;

/// Ends the reading of a report; says why.
class Malformed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

IpAddress AddressIn(const Json& json);
Endpoint EndIn(const Json& json);

/// Leaves out what is not known.
template <typename T>
void PutKnown(Json& json, const char* key, const std::optional<T>& value) {
  if (value) {
    json[key] = *value;
  }
}

/// Leaves `value` as it is where there is no such key. Throws as nlohmann::json does where it is of another type.
template <typename T>
void TakeKnown(const Json& json, const char* key, std::optional<T>& value) {
  if (const auto found = json.find(key); found != json.end()) {
    value = found->get<T>();
  }
}

/// The one of `values` that has this name.
template <typename Enum, typename Values>
Enum Named(const Json& json, const Values& values) {
  const std::string name = json.get<std::string>();
  for (const Enum value : values) {
    if (Name(value) == name) {
      return value;
    }
  }
  throw Malformed(Quoted(name) + " is not known");
}

/// Bounds of up to 128 bits, as addresses have.
Json RangeJson(const firewall::packet::IntervalSet::Interval& range);
firewall::packet::IntervalSet::Interval RangeIn(const Json& json);

}  // namespace finwait::planning
