#include "exporter/diagnosis/risk_assessor.h"

#include <algorithm>

#include "exporter/diagnosis/drop_path.h"

namespace finwait::diagnosis {
namespace {

std::uint64_t SumProven(const StuckHistory::Totals& totals) {
  std::uint64_t sum = 0;
  for (const auto& by_cause : totals) {
    for (const Cause cause : kCauses) {
      sum += ProvesFailure(cause) ? by_cause[static_cast<std::size_t>(cause)] : 0;
    }
  }
  return sum;
}

}  // namespace

void RiskAssessor::Assess(SteadyClock::time_point now, std::uint64_t resets_lost, Diagnosis& diagnosis) {
  RiskInputs inputs;
  inputs.drop_path = HasDropPath(diagnosis);
  inputs.drop_path_unknowable = diagnosis.rules_complete;
  diagnosis.drop_path_unknown = !inputs.drop_path && diagnosis.rules_complete;
  if (diagnosis.live) {
    const LiveSummary& live = *diagnosis.live;
    inputs.live_sockets = live.open;
    inputs.expiring_sockets = live.expiring;
    // Sockets whose fate is unknown may be what tells exposed from less.
    if (live.WouldStick() > 0 || live.AtRisk(Fate::kUnknown) + live.unread_elsewhere == 0) {
      inputs.at_risk_sockets = live.WouldStick();
    }
  }
  inputs.failure_observable = diagnosis.stuck.has_value();
  std::uint64_t lost = resets_lost;
  if (diagnosis.stuck) {
    for (const StuckSocket& stuck : diagnosis.stuck->sockets) {
      if (stuck.cause && ProvesFailure(*stuck.cause)) {
        ++inputs.stuck_sockets;
        inputs.oldest_stuck = std::max(inputs.oldest_stuck, stuck.age);
      } else if (!stuck.cause && stuck.network_namespace == 0) {
        ++inputs.undetermined_stuck;  // what cannot be told of other namespaces takes nothing from what is known here
      }
    }
    const std::uint64_t proven = SumProven(diagnosis.stuck->total);
    lost += proven - proven_before_;
    proven_before_ = proven;
  }
  if (inputs.stuck_sockets > 0 || lost > 0) {
    evidence_.Add(now, diagnosis.at, lost);
  }
  inputs.lost_closes = evidence_.LostWithinHold(now);
  inputs.evidence_within_hold = evidence_.WithinHold(now);
  diagnosis.last_evidence = evidence_.Last();
  diagnosis.risk = AssessRisk(inputs);
}

}  // namespace finwait::diagnosis
