#pragma once

#include "tests/kernel/collectors/firewall/eval/dice.h"
#include "tests/kernel/collectors/firewall/eval/random_ruleset.h"

namespace finwait::firewall::eval {

/// Adds tables that translate: DNAT (one address, maps, endpoints chosen by chance), REDIRECT, SNAT and MASQUERADE, by
/// one of the tools.
void AddRandomNat(Dice& dice, RandomRuleset& ruleset);

}  // namespace finwait::firewall::eval
