#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "collectors/firewall/model/rule_id.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::views {

/// planning::RuleJson(); without a rule every field but handle and index is null.
nlohmann::ordered_json RuleJson(const std::optional<firewall::RuleId>& rule);

/// An array of {"family", "table", "name", "devices", "priority", "hardware"}; a device with "*" behind it stands for
/// all whose names begin so.
nlohmann::ordered_json FlowtablesJson(const std::vector<firewall::FlowtableInTable>& flowtables);

}  // namespace finwait::views
