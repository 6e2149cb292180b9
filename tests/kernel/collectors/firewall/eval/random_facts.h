#pragma once

#include "tests/kernel/collectors/firewall/eval/dice.h"
#include "tests/kernel/collectors/firewall/eval/random_ruleset.h"
#include "tests/lab/namespace.h"

namespace finwait::firewall::eval {

/// Makes the ipsets, of every type that TCP can be in, that rules of AddRandomFacts() ask for; again where they are
/// there.
void MakeIpsets(const lab::Namespace& where);

/// Adds rules to chains of `ruleset` that hang on what no packet holds: ipsets, and the marks that sockets have.
void AddRandomFacts(Dice& dice, RandomRuleset& ruleset);

/// The marks that sockets of a trial have.
inline constexpr std::uint32_t kSocketMarks[] = {0, 1, 5, 0x10};

}  // namespace finwait::firewall::eval
