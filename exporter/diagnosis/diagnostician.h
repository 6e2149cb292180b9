#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "collectors/firewall/facts/resolver.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/evaluation_pace.h"
#include "exporter/diagnosis/failed_resets.h"
#include "exporter/diagnosis/firewall_totals.h"
#include "exporter/diagnosis/live_evaluation.h"
#include "exporter/diagnosis/new_sample.h"
#include "exporter/diagnosis/other_namespaces.h"
#include "exporter/diagnosis/owners.h"
#include "exporter/diagnosis/prediction_outcomes.h"
#include "exporter/diagnosis/risk_assessor.h"
#include "exporter/diagnosis/rules_evaluation.h"
#include "exporter/diagnosis/silence_evaluation.h"
#include "exporter/diagnosis/stuck_evaluation.h"
#include "exporter/diagnosis/witness_evaluation.h"

namespace finwait::diagnosis {

/// Makes diagnoses from snapshots: pure evaluations of the snapshot, and the little that must be remembered between
/// samples. Not thread-safe; feed it every snapshot, in order.
class Diagnostician {
 public:
  /// `resolver`: answers what no sample holds; null: that stays unknown.
  /// `paths`: what forgets connections on the way to some peers.
  explicit Diagnostician(std::shared_ptr<firewall::facts::Resolver> resolver = nullptr, EvaluationPace pace = {},
                         std::vector<PathTimeout> paths = {})
      : rules_(std::move(resolver), pace.rules), live_(std::move(pace)), silence_(std::move(paths)) {}

  /// Evaluates `snapshot` as of `now` and `wall`. A sample that it has seen before is evaluated again but not counted
  /// again.
  std::shared_ptr<const Diagnosis> Diagnose(std::shared_ptr<const scheduling::Snapshot> snapshot,
                                            SteadyClock::time_point now, scheduling::WallClock::time_point wall);

  /// Connections, by their ends, that an earlier run has counted as stuck: while they are, they are not counted again.
  void SkipCounted(std::set<std::pair<Endpoint, Endpoint>> connections) { stuck_.SkipCounted(std::move(connections)); }
  /// Who answers for entered namespaces (--namespaces=enter).
  void ResolveInside(ResolverIn resolver_in) { others_.ResolveInside(std::move(resolver_in)); }
  /// Tells of owners their kind alone (--owners.names=off).
  void HideOwnerNames() { owners_.HideNames(); }

  /// Frees what has not been needed for a while and can be read again. Returns whether much is free since the last
  /// call: that, or a long list of live sockets, which a new one has replaced. Call after Diagnose(), with the same
  /// time, and once nobody holds the diagnosis before.
  bool PruneUnused(SteadyClock::time_point now);

 private:
  /// Adds the sockets of containers and pods to what was made of the host's own, and says whose all are.
  void AddOthers(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                 Diagnosis& diagnosis);
  /// Resets newly lost in this snapshot.
  std::uint64_t CountLostResets(const scheduling::Snapshot& snapshot, const Diagnosis& diagnosis);

  // The steps, in their order, each with what it remembers.
  RulesEvaluation rules_;
  LiveEvaluation live_;
  SilenceEvaluation silence_;
  StuckEvaluation stuck_;
  OtherNamespaces others_;
  NewSample others_sample_;
  OwnerHistory owners_;
  FirewallCounters firewall_counters_;
  FailedResets failed_resets_;
  std::uint64_t resets_lost_ = 0;
  WitnessEvaluation witness_;
  RiskAssessor risk_;
  // What several of them remember together.
  ConnectionHistories connections_;
  PredictionOutcomes outcomes_;
};

}  // namespace finwait::diagnosis
