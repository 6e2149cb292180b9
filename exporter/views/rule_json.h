#pragma once

#include <nlohmann/json.hpp>

#include "collectors/firewall/model/rule_id.h"

namespace finwait::views {

/// planning::RuleJson(); without a rule every field but handle and index is null.
nlohmann::ordered_json RuleJson(const std::optional<firewall::RuleId>& rule);

}  // namespace finwait::views
