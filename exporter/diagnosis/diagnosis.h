#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/kernel/namespaces/owner.h"
#include "exporter/diagnosis/firewall_totals.h"
#include "exporter/diagnosis/idle.h"
#include "exporter/diagnosis/live.h"
#include "exporter/diagnosis/path_results.h"
#include "exporter/diagnosis/prediction_outcomes.h"
#include "exporter/diagnosis/risk.h"
#include "exporter/diagnosis/stuck.h"
#include "exporter/diagnosis/stuck_history.h"
#include "exporter/diagnosis/witnessed.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::diagnosis {

/// A socket that is stuck, and why.
struct StuckSocket {
  kernel::TcpSocket socket;
  std::optional<Cause> cause;  ///< nothing: cannot be told
  std::chrono::duration<double> age{0};
  ConnectionHistory history;
  std::shared_ptr<const DropSite> site;  ///< where its FIN or its peer's ACK is dropped; null: see StuckFinding
  bool with_entry = false;               ///< see StuckFinding, here and below
  bool is_answer = false;
  std::shared_ptr<const ClosingDrops> drops;  ///< where else its packets die, or would; null where `site` is
  std::uint64_t network_namespace = 0;        ///< sources::OtherNamespace::id; 0: this host's own
  std::shared_ptr<const kernel::namespaces::Owner> owner;  ///< null: cannot be told
  std::shared_ptr<const DroppedPacket> observed =
      nullptr;  ///< its FIN, which the kernel says it dropped; null: not seen
};

/// What its cause rests on; kInference where it has none.
ProvenBy ProofOf(const StuckSocket& stuck);

/// What one owner's sockets have come to, or would.
struct OwnerCount {
  kernel::namespaces::Owner owner;
  std::uint64_t stuck = 0;      ///< found stuck within the last hour, each counted once
  std::uint64_t stuck_now = 0;  ///< of them, those that still are
  std::uint64_t at_risk = 0;    ///< now; of each fate in kFatesAtRisk
};

/// Owners beyond the worst so many are counted and not named: series, lines and rows stay few.
inline constexpr std::size_t kMostNamedOwners = 20;

/// The stuck sockets of one sample, and all there have been.
struct StuckSummary {
  std::vector<StuckSocket> sockets;  ///< oldest first
  StuckHistory::Totals now = {};     ///< those with a cause
  std::array<std::uint64_t, std::size(kStuckStates)> undetermined = {};
  std::array<double, std::size(kStuckStates)> oldest_seconds = {};  ///< 0 where none is stuck
  StuckHistory::Totals total = {};                                  ///< since this process started

  /// Lists a stuck socket, last, and counts it in `now` or `undetermined`.
  void Add(StuckSocket stuck);
};

/// What we make of one snapshot: what report puts into sentences and views show. Immutable once made.
struct Diagnosis {
  std::shared_ptr<const scheduling::Snapshot> snapshot;
  scheduling::WallClock::time_point at;
  Risk risk;
  std::optional<scheduling::WallClock::time_point> last_evidence;  ///< of the last proven failure
  std::optional<StuckSummary> stuck;                               ///< nothing: the sockets collector is unavailable
  std::optional<FirewallTotals> firewall;                          ///< nothing: the firewall collector is unavailable
  std::optional<LiveSummary> live;  ///< nothing: the tracking or the firewall collector is unavailable
  std::optional<IdleSummary> idle;  ///< nothing: the tracking collector is unavailable
  /// What became of predicted closes; nothing: one of the collectors tracking, sockets and firewall is unavailable.
  std::optional<PredictionOutcomes::Totals> predictions;
  std::optional<WitnessSummary> witness;  ///< nothing: the witness collector is unavailable
  std::vector<OwnerCount> owners;         ///< of all sockets stuck or at risk in `stuck` and `live`; the worst first
  /// Nothing: the firewall collector is unavailable.
  std::optional<PerFamily<PathDispositions>> paths;
  PerFamily<PathSites> path_places;                 ///< where those of `paths` that are lost die
  PerFamily<ClosingDrops> closing_drops;            ///< of the representative flow
  PerFamily<TrackedSites> tracked_places;           ///< where FINs die that have an entry
  PerFamily<PathUnknowns> path_unknowns;            ///< what those of `paths` hang on that are unknown
  std::optional<bool> table_full = false;           ///< see EvaluationSettings
  bool drop_path_unknown = false;                   ///< whether a path loses packets hangs on what cannot be known
  bool rules_complete = false;                      ///< all rules could be read, and the settings that decide with them
  PerFamily<std::optional<bool>> conntrack_active;  ///< nothing: cannot be told
  std::uint64_t resets_lost = 0;  ///< since this process started: TCPAbortFailed while this host drops its own resets
  SteadyClock::duration evaluation_interval{0};  ///< from one evaluation of the live sockets to the next
};

}  // namespace finwait::diagnosis
