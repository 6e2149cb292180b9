#pragma once

#include <optional>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/tracking.h"

namespace finwait::diagnosis {

/// Whether conntrack's hooks run; nothing where that cannot be told. Inferred from entries, which only an active
/// conntrack makes, and from rules that need it. `table` and `tracking` may be null.
PerFamily<std::optional<bool>> IsConntrackActive(const firewall::Ruleset& ruleset,
                                                 const sources::ConntrackTableSample* table,
                                                 const sources::TrackingSample* tracking);

/// Where conntrack may be active. Unknown counts as active, since a verdict without conntrack would be too good.
PerFamily<bool> MayBeActive(const PerFamily<std::optional<bool>>& active);

/// Where the ruleset makes conntrack run, or may: for whom no sample tells of entries. The nat chains that a collection
/// leaves out are resolved.
PerFamily<bool> MayNeedConntrack(const firewall::Ruleset& ruleset, firewall::facts::Resolver& resolver,
                                 firewall::facts::FactStore& facts);

}  // namespace finwait::diagnosis
