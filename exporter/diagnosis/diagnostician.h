#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "collectors/firewall/facts/resolver.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/evaluation_pace.h"
#include "exporter/diagnosis/failed_resets.h"
#include "exporter/diagnosis/firewall_totals.h"
#include "exporter/diagnosis/new_sample.h"
#include "exporter/diagnosis/other_namespaces.h"
#include "exporter/diagnosis/owners.h"
#include "exporter/diagnosis/prediction_outcomes.h"
#include "exporter/diagnosis/risk_assessor.h"
#include "exporter/diagnosis/stuck_history.h"

namespace finwait::diagnosis {

/// Makes diagnoses from snapshots: pure evaluations of the snapshot, and the little that must be remembered between
/// samples. Not thread-safe; feed it every snapshot, in order.
class Diagnostician {
 public:
  /// `resolver`: answers what no sample holds; null: that stays unknown.
  /// `paths`: what forgets connections on the way to some peers.
  explicit Diagnostician(std::shared_ptr<firewall::facts::Resolver> resolver = nullptr, EvaluationPace pace = {},
                         std::vector<PathTimeout> paths = {})
      : resolver_(std::move(resolver)), evaluation_(std::move(pace)), path_timeouts_(std::move(paths)) {}

  /// Evaluates `snapshot` as of `now` and `wall`. A sample that it has seen before is evaluated again but not counted
  /// again.
  std::shared_ptr<const Diagnosis> Diagnose(std::shared_ptr<const scheduling::Snapshot> snapshot,
                                            SteadyClock::time_point now, scheduling::WallClock::time_point wall);

  /// Connections, by their ends, that an earlier run has counted as stuck: while they are, they are not counted again.
  void SkipCounted(std::set<std::pair<Endpoint, Endpoint>> connections) { counted_before_ = std::move(connections); }
  /// Tells of owners their kind alone (--owners.names=off).
  void HideOwnerNames() { owners_.HideNames(); }

  /// Frees what has not been needed for a while and can be read again. Returns whether much is free since the last
  /// call: that, or a long list of live sockets, which a new one has replaced. Call after Diagnose(), with the same
  /// time, and once nobody holds the diagnosis before.
  bool ForgetUnused(SteadyClock::time_point now);

 private:
  /// Each returns whether what it evaluates is other than in the snapshot before.
  bool EvaluateRules(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, Diagnosis& diagnosis);
  bool EvaluateLive(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                    Diagnosis& diagnosis);
  /// Sums up how long the live connections have been silent.
  void SumUpSilence(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, Diagnosis& diagnosis);
  /// Adds those of containers and pods. Call once these have been evaluated.
  void AddSilenceOfOthers(const sources::NetworkNamespacesSample& sample, const IdleContext& context,
                          SteadyClock::time_point now, Diagnosis& diagnosis);
  void EvaluateStuck(const scheduling::Snapshot& snapshot, bool anything_changed, SteadyClock::time_point now,
                     Diagnosis& diagnosis);
  /// Has the history of stuck sockets take in those that no earlier run has counted.
  void CountStuck(const std::vector<kernel::TcpSocket>& closing, const std::vector<StuckCandidate>& stuck,
                  SteadyClock::time_point now);
  /// Where else the packets of a stuck socket die, which dies at `site`: found out once for each site.
  std::shared_ptr<const ClosingDrops> DropsBeside(const std::shared_ptr<const DropSite>& site,
                                                  const kernel::TcpSocket& socket, bool with_entry);
  /// Adds the sockets of containers and pods to what was made of the host's own, and says whose all are.
  void AddOthers(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                 Diagnosis& diagnosis);
  /// Takes in what the kernel has told of facts that changed, and lets go of those that are too old.
  void RefreshFacts(SteadyClock::time_point now);
  /// EvaluateInRounds() with the evaluator, or once without one.
  template <typename Pass>
  void InRounds(Pass pass);
  /// Resets newly lost in this snapshot.
  std::uint64_t CountLostResets(const scheduling::Snapshot& snapshot, const Diagnosis& diagnosis);

  std::shared_ptr<firewall::facts::Resolver> resolver_;  // null: nobody can be asked
  std::shared_ptr<firewall::facts::FactStore> facts_ = std::make_shared<firewall::facts::FactStore>();
  std::unique_ptr<CloseEvaluator> judge_;                     // null while the rules cannot be read
  std::shared_ptr<const firewall::Ruleset> evaluated_rules_;  // the evaluator's
  DropSites sites_;                                           // in the evaluator's rules
  std::map<std::pair<std::shared_ptr<const DropSite>, bool>, std::shared_ptr<const ClosingDrops>> drops_beside_;
  // What the newest samples and rules came to, so that a sample of another collector costs nothing here.
  std::array<PathResults, 2> paths_ = {};
  EvaluationPace evaluation_;
  bool paths_are_new_ = false;     // since the last ForgetUnused()
  bool long_list_is_new_ = false;  // the same, of live sockets; or the list before it was long
  bool list_is_long_ = false;      // the newest
  bool live_due_ = false;          // there is news that live_ does not show yet
  firewall::facts::FactKinds paths_hang_on_ = 0;
  std::uint32_t paths_as_of_ = 0;  // FactStore::Now() when they were evaluated
  std::optional<LiveSummary> live_;
  std::vector<PathTimeout> path_timeouts_;
  IdleHistory idle_history_;
  std::optional<IdleSummary> idle_now_;
  bool idle_without_entries_ = false;  // `idle_now_` is of sockets that `sockets` lists, not of `tracking`
  IdleHistory others_idle_history_;
  std::optional<IdleSummary> others_idle_;
  std::shared_ptr<const sources::OtherLiveSockets> others_idle_of_;  // what `others_idle_` sums up
  std::optional<StuckSummary> stuck_now_;
  ConnectionHistories connections_;
  StuckHistory stuck_;
  PredictionOutcomes outcomes_;
  std::set<std::pair<Endpoint, Endpoint>> counted_before_;  // those that are still closing
  OtherNamespaces others_;
  OwnerHistory owners_;
  FirewallCounters firewall_counters_;
  FailedResets failed_resets_;
  std::uint64_t resets_lost_ = 0;
  RiskAssessor risk_;
  NewSample sockets_sample_;
  NewSample tracking_sample_;
  NewSample idle_sample_;  // the tracking collector's, as SumUpSilence() has seen it
  NewSample others_sample_;
};

}  // namespace finwait::diagnosis
