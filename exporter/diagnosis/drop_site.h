#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/analysis/invalid_drop.h"
#include "collectors/firewall/eval/packet_traversal.h"

namespace finwait::diagnosis {

/// The rule, or the policy, that a packet dies at.
struct DropSite {
  firewall::RuleLocation location;
  firewall::Hook hook = firewall::Hook::kOutput;
  /// iptables keeps the table, whichever the backend: its commands are what changes it.
  bool iptables = false;
  bool rejects = false;   ///< it answers the packet instead of dropping it in silence
  std::string rule_text;  ///< empty for a policy
  bool operator==(const DropSite&) const = default;

  bool IsPolicy() const { return !location.handle && !location.rule_index; }
};

/// Where a packet with this verdict dies; nothing for one that does not, or where no rule is known.
std::optional<DropSite> SiteOf(const firewall::eval::TraversalResult& verdict);

/// Whether the packet is lost: dropped or rejected.
bool IsLost(firewall::eval::Disposition decision);

/// "iptables-legacy table filter, chain OUTPUT, rule 7", or "the policy of nft table inet fw, chain out": where it is,
/// without what it says. iptables' own tables are named so whichever the backend.
std::string DescribeSite(const DropSite& place);

}  // namespace finwait::diagnosis
