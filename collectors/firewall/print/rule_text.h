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

/// What `rule` asks of a TCP connection (addresses, ports, devices, marks, owners), for another rule of its chain that
/// is to be for the same connections: "-s 192.0.2.0/24 -m tcp --dport 9000", "tcp dport 9000". Left out is what it asks
/// of a packet alone (conntrack's state, TCP flags), what chance or rates decide, and what cannot be typed as it
/// stands: then the text asks less. Holds nothing that a shell takes for more than words (nft: within single quotes).
std::string ConnectionMatches(const Table& table, const Chain& chain, const Rule& rule);

}  // namespace finwait::firewall::print
