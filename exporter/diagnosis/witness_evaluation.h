#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/sources/sockets.h"
#include "collectors/sources/witness.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/owners.h"
#include "exporter/diagnosis/rules_evaluation.h"
#include "exporter/diagnosis/witnessed.h"

namespace finwait::diagnosis {

/// Holds the packets that the kernel says it dropped against what the rules say of them, and gives stuck sockets what
/// was seen of theirs. Not thread-safe.
class WitnessEvaluation {
 public:
  /// `now`: the moment of `diagnosis.at`.
  void Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, RulesEvaluation& rules,
                const OwnerHistory& owners, Diagnosis& diagnosis);

 private:
  using Dropped = std::shared_ptr<const DroppedPacket>;
  using Ends = std::pair<Endpoint, Endpoint>;  // of this host, then the peer's

  /// Counts those under suspicion that are proven, and lets go of those that no longer can be.
  void Settle(const scheduling::Snapshot& snapshot);
  void TakeIn(DroppedPacket packet);
  void MarkStuck(Diagnosis& diagnosis) const;

  std::uint64_t last_ = 0;  // Drop::number
  WitnessSummary summary_;
  // FINs that the rules let pass, as read last: it may be that they were others when the packet was dropped. A
  // disagreement is one whose rules were read both before and after, and were the same.
  std::vector<Dropped> suspects_;
  std::shared_ptr<const firewall::Ruleset> ruleset_;  // of the newest sample
  SteadyClock::time_point first_read_;                // the first sample with it
  // The newest FIN of each connection.
  static constexpr std::size_t kMostConnections = 4096;
  std::map<Ends, Dropped> fins_;
};

/// What the rules do to that packet, by the evaluation that all others are made by. `socket`: whose it is, where that
/// is listed; else null.
firewall::eval::TraversalResult EvaluateDrop(const witness::Drop& drop, const kernel::TcpSocket* socket,
                                             CloseEvaluator& evaluator);

}  // namespace finwait::diagnosis
