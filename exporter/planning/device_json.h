#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "collectors/firewall/facts/interface.h"

/// Devices as JSON, and values that may not be known: those are left out.
namespace finwait::planning {

template <typename T>
void PutKnown(nlohmann::ordered_json& json, const char* key, const std::optional<T>& value) {
  if (value) {
    json[key] = *value;
  }
}

/// Leaves `value` as it is where there is no such key. Throws as nlohmann::json does where it is of another type.
template <typename T>
void TakeKnown(const nlohmann::ordered_json& json, const char* key, std::optional<T>& value) {
  if (const auto found = json.find(key); found != json.end()) {
    value = found->get<T>();
  }
}

nlohmann::ordered_json DeviceJson(const firewall::facts::Interface& device);
/// Throws as TakeKnown() does.
firewall::facts::Interface DeviceIn(const nlohmann::ordered_json& json);

}  // namespace finwait::planning
