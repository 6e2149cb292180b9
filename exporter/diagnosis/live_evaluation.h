#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/evaluation_pace.h"
#include "exporter/diagnosis/live.h"
#include "exporter/diagnosis/new_sample.h"
#include "exporter/diagnosis/prediction_outcomes.h"
#include "exporter/diagnosis/rules_evaluation.h"

namespace finwait::diagnosis {

/// What would become of this host's live sockets if they closed now, in turns within a budget. Not thread-safe.
class LiveEvaluation {
 public:
  explicit LiveEvaluation(EvaluationPace pace) : pace_(std::move(pace)) {}

  /// Takes the newest list of sockets into `connections` and, when it is its turn, evaluates it; `outcomes` hears what
  /// is predicted. Returns whether the summary is other than for the snapshot before.
  bool Evaluate(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                RulesEvaluation& rules, ConnectionHistories& connections, PredictionOutcomes& outcomes,
                Diagnosis& diagnosis);

  /// CPU time for new evaluations in one run.
  std::chrono::nanoseconds MostAtOnce() const { return pace_.most_at_once; }
  /// Whether a long list of sockets has been replaced since the last call: much is free now.
  bool TakeReplaced() { return std::exchange(long_list_is_new_, false); }

 private:
  EvaluationPace pace_;
  NewSample sample_;
  std::optional<LiveSummary> summary_;
  bool due_ = false;               // there is news that the summary does not show yet
  bool list_is_long_ = false;      // the newest
  bool long_list_is_new_ = false;  // since TakeReplaced(); or the list before it was long
};

}  // namespace finwait::diagnosis
