#pragma once

#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::print {

/// No rule's text is longer; what is cut off ends in "...".
inline constexpr std::size_t kMaxRuleText = 512;

/// `rule`, of `chain` in `table`, the way its own tool prints it: `iptables-save` for legacy tables and for those that
/// iptables-nft keeps, `nft --stateless list ruleset` for the rest. Counter values are left out, so that the text of a
/// rule stays the same. Options of an extension that this program does not know appear as "-m NAME [...]", an
/// expression of nftables as "[NAME]". Control characters in it are escaped.
std::string RuleText(const Table& table, const Chain& chain, const Rule& rule);

}  // namespace finwait::firewall::print
