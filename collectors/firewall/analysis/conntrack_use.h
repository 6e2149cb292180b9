#pragma once

#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/packet/tristate.h"

namespace finwait::firewall::analysis {

/// Whether the ruleset makes conntrack run for packets of `family`: whether one of its rules asks for the connection's
/// entry, changes it or translates addresses (each such rule takes a reference by nf_ct_netns_get()). It is enough that
/// the rule is there, dormant tables included; empty nat chains and NOTRACK do not count.
///
/// kUnknown: nothing that was read needs it, but something was not read: parts that failed, nat chains without
/// `facts`. Rules in chains that no base chain reaches, conntrack helper objects that no rule names, and other
/// users (IPVS, tc's act_ct, Open vSwitch, the module's parameter enable_hooks) are not seen at all: where there are
/// entries, conntrack runs whatever this says.
packet::Tristate NeedsConntrack(const Ruleset& ruleset, IpFamily family, facts::FactQuery* facts = nullptr);

}  // namespace finwait::firewall::analysis
