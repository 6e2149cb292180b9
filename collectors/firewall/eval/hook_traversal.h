#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/eval/packet_path_settings.h"

namespace finwait::firewall::eval {

/// What is uncertain of a packet that nat sends on, where no route of it is known.
extern const char* const kTranslationLeads;
/// What is uncertain where chains of one priority, in another order, do otherwise.
extern const char* const kChainOrder;

/// One way a packet's path can end.
struct TraversalEnd {
  ChainResult result;
  std::optional<Hook> hook;  ///< where; kAccept: of the last base chain that looked at it, absent where none did
};

/// What conntrack's look-up says of a packet of `kind` whose connection has no entry.
PacketTracking TrackingWithoutEntry(PacketKind kind, bool tcp_loose);

/// Takes `packet` of `kind` through all hooks of its path: base chains of one hook in the order of their priorities,
/// nft and legacy interleaved, conntrack's look-up between them at -200; an accept ends its own chain only, a drop ends
/// the traversal. `looked_up` is what the look-up makes of a packet that it has not seen before. Where several chains
/// have one priority, they run in the kernel's order or, where that cannot be told, in every order that may be it.
/// `drops`: whether rules that drop it end its path, or let it pass as if they were not there.
/// `misrouted`: a packet whose destination nat has just changed is followed no further where this says so; it has no
/// end. Null: all are followed.
enum class DropsOnTheWay { kEndIt, kAreIgnored };
using IsMisrouted = std::function<bool(const Packet& translated)>;
std::vector<TraversalEnd> TraverseHooks(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                                        Packet packet, PacketTracking looked_up, const PacketPathSettings& settings,
                                        DropsOnTheWay drops = DropsOnTheWay::kEndIt,
                                        const IsMisrouted& is_misrouted = {});

}  // namespace finwait::firewall::eval
