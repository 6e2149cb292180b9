#pragma once

#include <nlohmann/json.hpp>

#include "collectors/firewall/model/rule_id.h"

namespace finwait::views {

/// {"backend", "family", "table", "chain", "handle" or "rule_index"}: which rule, in every JSON that this program
/// prints. A policy has neither handle nor index; without a rule every field is null.
nlohmann::ordered_json RuleJson(const std::optional<firewall::RuleId>& rule);

}  // namespace finwait::views
