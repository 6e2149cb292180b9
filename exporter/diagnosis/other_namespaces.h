#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/pacer.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/at_risk_list.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/drop_site.h"
#include "exporter/diagnosis/forwarded_close.h"
#include "exporter/diagnosis/live.h"
#include "exporter/diagnosis/observed_silence.h"
#include "exporter/diagnosis/outcome_memo.h"
#include "exporter/diagnosis/own_hops.h"
#include "exporter/diagnosis/stuck_history.h"

namespace finwait::diagnosis {

/// What others than the sample know.
struct OtherContext {
  CloseEvaluator* evaluator = nullptr;            ///< of this host's rules; null: they cannot be read
  firewall::facts::Resolver* resolver = nullptr;  ///< null: nobody can be asked
  const sources::SysctlSample* sysctl = nullptr;  ///< of this host; null: cannot be read
  PerFamily<bool> conntrack_active = {true, true};
  DropSites* sites = nullptr;
  std::chrono::nanoseconds evaluation{std::chrono::hours(1)};  ///< CPU time for what is not remembered
};

/// The sockets of containers and pods: what this host does to their closing packets on the way through. Remembers by
/// socket what was seen of its entry in the host's table, as ConnectionHistories does for the host's own, and of each
/// namespace whether it was ever seen tracked. Not thread-safe.
class OtherNamespaces {
 public:
  /// The open sockets of a sample that is new, or whose rules are; what was summed up before where neither is.
  const LiveSummary& SumUpLive(const sources::NetworkNamespacesSample& sample, bool rules_changed,
                               const OtherContext& context);
  /// The stuck ones. `is_new`: of a sample that has not been seen before, which was complete at `taken_at`.
  const StuckSummary& SumUpStuck(const sources::NetworkNamespacesSample& sample, bool is_new,
                                 SteadyClock::time_point taken_at, SteadyClock::time_point now,
                                 const OtherContext& context);
  /// Of the open sockets summed up last.
  ObservedSilence Silence(const OtherContext& context) const;
  /// Lets go of facts of entered namespaces that may not be true any more.
  void RefreshFacts(SteadyClock::time_point now) { own_hops_.RefreshFacts(now); }
  /// Who answers for entered namespaces.
  void ResolveInside(ResolverIn resolver_in) { own_hops_.ResolveBy(std::move(resolver_in)); }
  /// The collector cannot read: nothing is known now, but what was counted stays counted.
  const StuckSummary& Clear();

 private:
  ForwardedConnection ConnectionOf(const kernel::TcpSocket& socket, std::uint64_t network_namespace) const;
  /// How the namespaces are joined to this host. Returns whether that has changed.
  bool TakeInHostSides(const sources::NetworkNamespacesSample& sample);
  void TakeInLive(const sources::NetworkNamespacesSample& sample);
  /// Evaluates, in rounds, what is not remembered: all without an entry, and of each namespace one with an entry. Then
  /// what becomes of those with an entry as long as it is there.
  void Evaluate(const OtherContext& context);
  /// One round of it, of `waiting`: those that are not settled stay in it.
  void EvaluateRound(const CpuStopwatch& stopwatch, const OtherContext& context, std::vector<std::size_t>& waiting);
  void EvaluateRoundWithEntry(const CpuStopwatch& stopwatch, const OtherContext& context,
                              std::vector<std::size_t>& waiting);
  /// Whether this host is its peer, and counts that end alone; and whether its packets may pass conntrack by.
  void NotePassage(std::size_t position, const ForwardedOutcome& outcome);
  /// Of namespaces that are known to be tracked only now, what was evaluated before does not hold.
  void DoubtJudgedUntracked();
  /// The open connections with an entry here that may not close cleanly while it is there.
  std::vector<std::size_t> DoubtfulWithEntry(CloseEvaluator& evaluator) const;
  void CountLive(const sources::NetworkNamespacesSample& sample, const OtherContext& context);
  /// One open connection: by its own namespace's hop where that decides, else by this host's part.
  void CountOpen(std::size_t position, const OtherContext& context, AtRiskList& list);
  /// What this host does to a close of a connection as it is, with its entry here or without one that it had; clean
  /// where that is not known.
  Fate FateHere(std::size_t position, const OtherContext& context);
  /// The same of one with its entry.
  Fate FateWithEntry(const kernel::TcpSocket& socket, const OtherContext& context) const;
  /// `own_unknown`: it has no entry in its own namespace, and what that does to its FIN cannot be told.
  void CountHere(std::size_t position, bool own_unknown, const OtherContext& context, AtRiskList& list);
  void CountUntracked(std::size_t position);
  /// Returns whether a connection of that fate is at risk.
  bool CountAtRisk(std::size_t position, Fate fate, bool with_entry = false);
  /// Why a socket that IsStuck() is stuck; nothing where its peer is this host itself, which counts that end.
  StuckFinding FindingOf(const sources::ForeignClosingSocket& closing, const ConnectionHistory* history,
                         const OtherContext& context);
  /// Those of namespaces of which something could not be read, and those of which no entry of this host's could be.
  std::uint64_t CountUnread(const sources::NetworkNamespacesSample& sample) const;
  /// Whether a connection that this host is asked about has had an entry in its table, and has none any more.
  bool IsLostHere(const kernel::TcpSocket& socket, std::size_t position, const ConnectionHistory* history) const;
  /// Whether this host's conntrack surely sees the connection's packets, as it has seen others' of its namespace.
  bool IsKnownTracked(const kernel::TcpSocket& socket, std::size_t position) const;
  /// Whether its own namespace has a part in what becomes of it.
  bool HasOwnHop(std::size_t position) const;
  /// Evaluates what the own namespaces do to open connections.
  void EvaluateOwn(const OtherContext& context);
  /// The outcome that decides, of its own namespace and of this host.
  AtRiskSocket Described(std::size_t position, const OtherContext& context);
  /// The outcome here while its entry is there.
  AtRiskSocket DescribedWithEntry(std::size_t position, const OtherContext& context);

  std::shared_ptr<const sources::ForeignLiveSockets> live_;
  ConnectionHistories connections_;
  OutcomeMemo memo_;
  OutcomeMemo with_entry_memo_;                   // of those whose entry is there
  std::map<std::uint64_t, HostSide> host_sides_;  // by namespace; those that are known
  std::set<std::uint64_t> tracked_;               // namespaces of which some connection was seen with an entry
  // Cookies of connections whose peer is this host itself. Their other end is among the host's own sockets, which tell
  // more: that end alone is counted.
  std::set<std::uint64_t> to_this_host_;
  // Connections whose packets may pass this host's conntrack by (ForwardedOutcome::may_bypass_tracking), by cookie: and
  // whether their namespace was known to be tracked when they were evaluated.
  std::map<std::uint64_t, bool> may_pass_by_;
  OwnHops own_hops_;
  LiveSummary live_summary_;
  StuckHistory stuck_;
  StuckSummary stuck_summary_;
};

/// Adds the sockets of other namespaces to this host's own.
void Add(const LiveSummary& others, LiveSummary& own);
void Add(const StuckSummary& others, StuckSummary& own);

}  // namespace finwait::diagnosis
