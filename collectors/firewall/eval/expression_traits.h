#pragma once

#include "collectors/firewall/model/expression.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/model/traits.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::eval {

/// The traits of one step of a rule; of extensions those of `extensions`.
Traits TraitsOf(const Expression& expression, const xt::Registry& extensions = xt::BuiltIn());

/// Whether a packet may leave `rule` as another one than it came, as Traits::changes_packet means it.
bool ChangesPackets(const Rule& rule, const xt::Registry& extensions = xt::BuiltIn());

}  // namespace finwait::firewall::eval
