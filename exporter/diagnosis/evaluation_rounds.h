#pragma once

#include "collectors/firewall/facts/resolver.h"
#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::diagnosis {

/// Each round reads what the one before has found missing: nft allows 16 levels of jumps, and what stands before the
/// rules (settings, socket, route) takes three.
inline constexpr int kMostRounds = 24;

/// What one round of a batch reads: few enough that no fact goes before it is used.
inline constexpr std::size_t kNeedsInARound = 1024;

/// Runs `pass`, which evaluates one connection or a batch of them, resolves in one go all that was missing for it, and
/// runs it again until nothing is. `resolver` may be null: then once. What is still missing after kMostRounds stays
/// unknown, with the need's name as the reason.
template <typename Pass>
void EvaluateInRounds(CloseEvaluator& evaluator, firewall::facts::Resolver* resolver, Pass pass) {
  evaluator.Packets().Facts().TakeNeeds();
  for (int round = 1;; ++round) {
    pass();
    if (resolver == nullptr || round == kMostRounds) {
      return;
    }
    const firewall::facts::Needs needs = evaluator.Packets().Facts().TakeNeeds();
    if (needs.empty()) {
      return;
    }
    resolver->Resolve(needs, evaluator.Packets().Facts().Store());
  }
}

}  // namespace finwait::diagnosis
