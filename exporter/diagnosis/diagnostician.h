#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/firewall/facts/resolver.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/counter_ledger.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/evaluation_pace.h"
#include "exporter/diagnosis/evidence.h"
#include "exporter/diagnosis/other_namespaces.h"
#include "exporter/diagnosis/owners.h"
#include "exporter/diagnosis/stuck_history.h"

namespace finwait::diagnosis {

/// Makes diagnoses from snapshots: pure judgements over the snapshot, and the little that must be remembered between
/// looks. Not thread-safe; feed it every snapshot, in order.
class Diagnostician {
 public:
  /// `resolver`: answers what no sample holds; null: that stays unknown.
  /// `paths`: what forgets connections on the way to some peers.
  explicit Diagnostician(std::shared_ptr<firewall::facts::Resolver> resolver = nullptr, EvaluationPace pace = {},
                         std::vector<PathTimeout> paths = {})
      : resolver_(std::move(resolver)), evaluation_(std::move(pace)), path_timeouts_(std::move(paths)) {}

  /// Judges `snapshot` as of `now` and `wall`. A sample that it has seen before is judged again but not counted again.
  std::shared_ptr<const Diagnosis> Diagnose(std::shared_ptr<const scheduling::Snapshot> snapshot,
                                            SteadyClock::time_point now, scheduling::WallClock::time_point wall);

  /// Tells of owners their kind alone (--owners.names=off).
  void HideOwnerNames() { owners_.HideNames(); }

  /// Frees what has not been needed for a while and can be read again. Returns whether much is free since the last
  /// call: that, or a long list of live sockets, which a new one has replaced. Call after Diagnose(), with the same
  /// time, and once nobody holds the diagnosis before.
  bool ForgetUnused(SteadyClock::time_point now);

 private:
  /// Whether `status` holds a sample that `counted` has not seen; then it has.
  static bool IsNew(const scheduling::CollectorStatus* status, std::shared_ptr<const sources::SampleData>& counted);

  /// Each returns whether what it judges is other than in the look before.
  bool EvaluateRules(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, Diagnosis& diagnosis);
  bool EvaluateLive(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                    Diagnosis& diagnosis);
  /// Sums up how long the live connections have been silent.
  void SumUpSilence(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, Diagnosis& diagnosis);
  void EvaluateStuck(const scheduling::Snapshot& snapshot, bool anything_changed, SteadyClock::time_point now,
                     Diagnosis& diagnosis);
  /// Adds the sockets of containers and pods to what was made of the host's own, and says whose all are.
  void AddOthers(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                 Diagnosis& diagnosis);
  /// Takes in what the kernel has told of facts that changed, and lets go of those that are too old.
  void RefreshFacts(SteadyClock::time_point now);
  /// EvaluateInRounds() with the evaluator, or once without one.
  template <typename Pass>
  void InRounds(Pass pass);
  void AddUpFirewall(const scheduling::Snapshot& snapshot, Diagnosis& diagnosis);
  /// Resets newly lost in this look.
  std::uint64_t CountLostResets(const scheduling::Snapshot& snapshot, const Diagnosis& diagnosis);
  void AssessRiskOf(SteadyClock::time_point now, scheduling::WallClock::time_point wall, std::uint64_t resets_lost,
                    Diagnosis& diagnosis);

  std::shared_ptr<firewall::facts::Resolver> resolver_;  // null: nobody can be asked
  std::shared_ptr<firewall::facts::FactStore> facts_ = std::make_shared<firewall::facts::FactStore>();
  std::unique_ptr<CloseEvaluator> judge_;                     // null while the rules cannot be read
  std::shared_ptr<const firewall::Ruleset> evaluated_rules_;  // the judge's
  DropSites sites_;                                           // in the judge's rules
  // What the newest samples and rules came to, so that a look of another collector costs nothing here.
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
  std::optional<StuckSummary> stuck_now_;
  ConnectionHistories connections_;
  StuckHistory stuck_;
  OtherNamespaces others_;
  OwnerHistory owners_;
  EvidenceLog evidence_;
  CounterLedger invalid_drop_counters_;
  CounterLedger policy_counters_;
  FirewallTotals firewall_totals_;
  std::uint64_t proven_before_ = 0;  // proven sockets counted by the history in the look before
  std::optional<std::uint64_t> abort_failed_;
  std::uint64_t resets_lost_ = 0;
  // The samples last counted, held so that a new one cannot have an old one's address.
  std::shared_ptr<const sources::SampleData> sockets_counted_;
  std::shared_ptr<const sources::SampleData> firewall_counted_;
  std::shared_ptr<const sources::SampleData> tracking_counted_;
  std::shared_ptr<const sources::SampleData> idle_counted_;
  std::shared_ptr<const sources::SampleData> netstat_counted_;
  std::shared_ptr<const sources::SampleData> others_counted_;
};

}  // namespace finwait::diagnosis
