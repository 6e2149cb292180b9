#pragma once

#include <filesystem>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::read {

/// Whether `family` has any legacy table in this namespace: <procfs>/thread-self/net/ip_tables_names has a name in it.
/// No where it has none, or cannot be read.
bool HasLegacyTables(const std::filesystem::path& procfs, TableFamily family);

}  // namespace finwait::firewall::read
