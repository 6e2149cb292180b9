#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "collectors/base/result.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/legacy_tables.h"
#include "collectors/kernel/netlink/attributes.h"

/// Decodes what x_tables' sockopts give: one table as a run of entries, chains being only offsets into it.
namespace finwait::firewall::read {

/// What IPT_SO_GET_INFO and IP6T_SO_GET_INFO tell about a table; indexes are NF_INET_PRE_ROUTING to _POST_ROUTING.
struct LegacyTableInfo {
  std::uint32_t valid_hooks = 0;                            ///< a bit for each hook the table is registered at
  std::array<std::uint32_t, kLegacyHooks> hook_entry = {};  ///< offset of the base chain's first entry
  std::array<std::uint32_t, kLegacyHooks> underflow = {};   ///< offset of the base chain's policy
  std::uint32_t entries = 0;
  std::uint32_t size = 0;  ///< of all entries, in bytes
};

struct LegacyTable {
  Table table;
  /// Over everything but counters: equal when nothing was changed, different (but for 1 in 2^64) when something was.
  std::uint64_t content_hash = 0;
};

/// Decodes `entries`, the answer to IPT_SO_GET_ENTRIES. Every offset, size and jump target in it is checked: bytes that
/// x_tables could not have produced give an error. Keeps at most `max_rules` rules; chains beyond are kTruncated.
Result<LegacyTable> DecodeLegacyTable(TableFamily family, const std::string& name, const LegacyTableInfo& info,
                                      kernel::netlink::Bytes entries, std::size_t max_rules);

}  // namespace finwait::firewall::read
