#include "exporter/diagnosis/risk.h"

#include <algorithm>
#include <cmath>

namespace finwait::diagnosis {
namespace {

// A number of sockets as 0 to 1: a tenth for the first, then logarithmic, 1 at a thousand, so that one more always
// shows until then.
double CountFactor(std::uint64_t count) {
  constexpr double kSaturation = 1000;
  return std::min(1.0, std::log2(1.0 + static_cast<double>(count)) / std::log2(1.0 + kSaturation));
}

// Orphans live about 108 s with default tcp_orphan_retries; 2 minutes is as old as most get.
double AgeFactor(std::chrono::duration<double> age) {
  constexpr double kSaturationSeconds = 120;
  return std::clamp(age.count() / kSaturationSeconds, 0.0, 1.0);
}

std::optional<double> Share(std::optional<std::uint64_t> part, std::optional<std::uint64_t> whole) {
  if (!part || !whole) {
    return std::nullopt;
  }
  return *whole == 0 ? 0.0 : std::min(1.0, static_cast<double>(*part) / static_cast<double>(*whole));
}

std::optional<Stage> AssessStage(const RiskInputs& inputs) {
  if (inputs.stuck_sockets > 0 || inputs.lost_closes > 0 || inputs.evidence_within_hold) {
    return Stage::kFailing;  // proven: whatever else is unavailable cannot take it back
  }
  if (!inputs.failure_observable) {
    return std::nullopt;
  }
  if (inputs.at_risk_sockets.value_or(0) > 0) {
    return Stage::kExposed;
  }
  if (inputs.undetermined_stuck > 0) {
    return std::nullopt;
  }
  if (!inputs.drop_path && inputs.drop_path_unknowable && inputs.at_risk_sockets) {
    return Stage::kLatent;  // every open connection is safe now, and a path that may lose packets is one to know of
  }
  if (!inputs.drop_path || (*inputs.drop_path && !inputs.at_risk_sockets)) {
    return std::nullopt;
  }
  return *inputs.drop_path ? Stage::kLatent : Stage::kNone;
}

// The bands of the contract, and within each the factors by weight: what comes first in the contract weighs more than
// all that follow together.
double Score(Stage stage, const RiskFactors& factors) {
  switch (stage) {
    case Stage::kNone:
      return 0;
    case Stage::kLatent:
      return 1 + 38 * factors.expiring_share.value_or(0);
    case Stage::kExposed:
      return 40 + 29 * (0.8 * factors.at_risk_share.value_or(0) + 0.2 * factors.at_risk_count.value_or(0));
    case Stage::kFailing:
      return 70 + 30 * (0.4 * factors.stuck_count.value_or(0) + 0.4 * factors.lost_count.value_or(0) +
                        0.2 * factors.stuck_age.value_or(0));
  }
  return 0;
}

}  // namespace

std::string_view Name(Stage stage) {
  constexpr std::string_view kNames[] = {"none", "latent", "exposed", "failing"};
  return kNames[static_cast<std::size_t>(stage)];
}

Risk AssessRisk(const RiskInputs& inputs) {
  Risk risk;
  risk.factors.expiring_share = Share(inputs.expiring_sockets, inputs.live_sockets);
  risk.factors.at_risk_share = Share(inputs.at_risk_sockets, inputs.live_sockets);
  if (inputs.at_risk_sockets) {
    risk.factors.at_risk_count = CountFactor(*inputs.at_risk_sockets);
  }
  if ((inputs.failure_observable && inputs.undetermined_stuck == 0) || inputs.stuck_sockets > 0) {
    risk.factors.stuck_count = CountFactor(inputs.stuck_sockets);
    risk.factors.stuck_age = AgeFactor(inputs.oldest_stuck);
    risk.factors.lost_count = CountFactor(inputs.lost_closes);
  }
  risk.stage = AssessStage(inputs);
  if (risk.stage) {
    risk.score = Score(*risk.stage, risk.factors);
  }
  return risk;
}

}  // namespace finwait::diagnosis
