#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::print {

/// `rule` as iptables-save prints it, "-A CHAIN ..."; nothing when it holds an expression of nftables that iptables
/// does not write.
std::optional<std::string> IptablesRuleText(const Table& table, const Chain& chain, const Rule& rule);

/// ConnectionMatches() of a rule that iptables keeps.
std::string IptablesMatches(const Table& table, const Chain& chain, const Rule& rule);

}  // namespace finwait::firewall::print
