#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "collectors/base/ip.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/new_sample.h"
#include "exporter/diagnosis/prediction_outcomes.h"
#include "exporter/diagnosis/rules_evaluation.h"
#include "exporter/diagnosis/stuck_history.h"

namespace finwait::diagnosis {

/// This host's stuck sockets: why each is, how long, and how many there have been. Not thread-safe.
class StuckEvaluation {
 public:
  /// Connections, by their ends, that an earlier run has counted: while they are stuck, they are not counted again.
  void SkipCounted(std::set<std::pair<Endpoint, Endpoint>> connections) { counted_before_ = std::move(connections); }

  /// `anything_changed`: in what causes hang on, since the snapshot before. `outcomes` hears what has become of
  /// sockets.
  void Evaluate(const scheduling::Snapshot& snapshot, bool anything_changed, SteadyClock::time_point now,
                RulesEvaluation& rules, ConnectionHistories& connections, PredictionOutcomes& outcomes,
                Diagnosis& diagnosis);

 private:
  /// Has the history take in those that no earlier run has counted.
  void Count(const std::vector<kernel::TcpSocket>& closing, const std::vector<StuckCandidate>& stuck,
             SteadyClock::time_point now);

  NewSample sample_;
  StuckHistory history_;
  std::set<std::pair<Endpoint, Endpoint>> counted_before_;  // those that are still closing
  std::optional<StuckSummary> summary_;
};

}  // namespace finwait::diagnosis
