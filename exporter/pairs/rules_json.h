#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "exporter/pairs/halves.h"

namespace finwait::pairs {

/// A host's rules as a list of objects.
nlohmann::ordered_json RulesJson(const std::vector<ForeignRule>& rules);

/// The inverse; nothing for anything else.
std::optional<std::vector<ForeignRule>> RulesOf(const nlohmann::ordered_json& json);

/// What another host has sent, as JSON; null where it is none, or nests deeper than anything of ours: what writes a
/// value calls itself for each level.
nlohmann::ordered_json ParseForeignJson(std::string_view text);

/// The member of an object; null where it is none, or has none of that name.
const nlohmann::ordered_json& Member(const nlohmann::ordered_json& json, const char* name);

}  // namespace finwait::pairs
