#pragma once

namespace finwait::sources {

/// How --sampling.cpu-budget is divided where it is scarce; what one does not need goes to the others. What is cheap
/// has shares far above its cost, and so keeps its interval (docs/performance.md). The registry holds the sum at 1.
inline constexpr double kTableShare = 0.14;            ///< streaming the conntrack table
inline constexpr double kTrackingShare = 0.15;         ///< joining live sockets with their entries
inline constexpr double kClosingSocketsShare = 0.13;   ///< reading the sockets in closing states
inline constexpr double kSocketCountsShare = 0.08;     ///< counting all sockets
inline constexpr double kFirewallShare = 0.08;         ///< rules
inline constexpr double kNamespacesShare = 0.17;       ///< observing the sockets of containers and pods
inline constexpr double kObservedEntriesShare = 0.04;  ///< joining those with their entries
inline constexpr double kEvaluationShare = 0.1;        ///< predicting what would become of each live socket
inline constexpr double kRulesShare = 0.05;            ///< predicting it again because the rules changed
inline constexpr double kOtherShare = 0.01;            ///< every other collector

/// The part of it that is spent beside the collectors' own shares.
inline constexpr double kSharesOfNoCollector =
    kSocketCountsShare + kObservedEntriesShare + kEvaluationShare + kRulesShare;

/// Of kNamespacesShare: for reading lists of sockets; the rest is for telling which are to be read.
inline constexpr double kPartForSocketLists = 0.7;

}  // namespace finwait::sources
