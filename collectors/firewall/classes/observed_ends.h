#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/hook_traversal.h"
#include "collectors/firewall/packet/connection_class.h"

namespace finwait::firewall::classes {

using packet::ConnectionClass;
using packet::Dimension;
using packet::IntervalSet;

/// A class cut in two: the connections whose `dimension` is in `inside`, and the others. Both are there.
struct Cut {
  Dimension dimension = Dimension::kPeerAddress;
  IntervalSet inside;
};

/// The ways that the packets of one class have ended, and where that class is best cut so that the packets of each part
/// end alike.
class ObservedEnds : public eval::EndsObserver {
 public:
  /// Starts to observe `of`; forgets what was seen before.
  void Start(const ConnectionClass& of);
  void OnEnds(const eval::Connection& connection, eval::PacketKind kind,
              const std::vector<eval::TraversalEnd>& ends) override;

  /// Nothing where the ends do not differ, or not by anything that tells connections apart.
  std::optional<Cut> FindCut() const;

 private:
  using Values = std::array<IntervalSet, packet::kDimensions>;
  // The ends of one packet's traversals that are alike, and the connections that came to each.
  using Alike = std::map<std::string, std::vector<Values>>;

  // The same by the way to end, each of its ends once.
  using Ways = std::vector<std::vector<Values>>;

  std::optional<Cut> CutOf(const Alike& traversal) const;
  /// By a dimension in which the connections of one way are not those of the others, or not all of them.
  std::optional<Cut> CutBetweenWays(const Ways& ways) const;
  /// Where each way has ends everywhere. Of few different values (the ports of services) one is cut off at a time, of
  /// many half of them.
  std::optional<Cut> CutOffValues(const Ways& ways) const;

  ConnectionClass of_;
  std::vector<Alike> traversals_;
};

}  // namespace finwait::firewall::classes
