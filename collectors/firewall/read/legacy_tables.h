#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "collectors/base/result.h"
#include "collectors/firewall/model/ruleset.h"

/// What is known of a legacy table without opening it.
namespace finwait::firewall::read {

/// NF_INET_PRE_ROUTING to NF_INET_POST_ROUTING, the hooks that x_tables knows.
inline constexpr std::size_t kLegacyHooks = 5;

/// The base chains of a table, all of them kNotRead: what is known of it without opening it. kUnsupported for a table
/// whose place among the hooks this version does not know.
Result<Table> DescribeLegacyTable(TableFamily family, const std::string& name, std::uint32_t valid_hooks);

/// The hooks of the standard tables "raw", "mangle", "nat", "filter" and "security"; 0 for others.
std::uint32_t StandardLegacyHooks(const std::string& table);

}  // namespace finwait::firewall::read
