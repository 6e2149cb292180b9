#include "exporter/diagnosis/diagnosis.h"

#include <algorithm>
#include <utility>

namespace finwait::diagnosis {

ProvenBy ProofOf(const StuckSocket& stuck) {
  if (stuck.observed == nullptr || !stuck.cause) {
    return ProvenBy::kInference;
  }
  const bool by_netfilter = stuck.observed->drop.reason_class == witness::ReasonClass::kNetfilter;
  const bool proven = by_netfilter ? *stuck.cause == Cause::kLocalDrop || *stuck.cause == Cause::kForwardDrop
                                   : *stuck.cause == Cause::kLocalError;
  return proven ? ProvenBy::kObservation : ProvenBy::kInference;
}

void StuckSummary::Add(StuckSocket stuck) {
  const std::size_t state = StuckStateIndex(stuck.socket.state);
  ++(stuck.cause ? now[state][static_cast<std::size_t>(*stuck.cause)] : undetermined[state]);
  oldest_seconds[state] = std::max(oldest_seconds[state], stuck.age.count());
  sockets.push_back(std::move(stuck));
}

}  // namespace finwait::diagnosis
