#pragma once

#include "collectors/firewall/model/rule_id.h"
#include "exporter/planning/json_values.h"

namespace finwait::planning {

/// {"backend", "family", "table", "chain", "handle" or "rule_index"}: which rule, in every JSON that this program
/// prints. A policy has neither handle nor index.
Json RuleJson(const firewall::RuleId& rule);

/// The inverse. Of a table that iptables keeps in nf_tables this does not tell the dialect.
firewall::RuleId RuleIn(const Json& json);

}  // namespace finwait::planning
