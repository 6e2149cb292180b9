#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/packet/forwarded_connection.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/close_outcome.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/stuck.h"

namespace finwait::diagnosis {

using firewall::packet::ForwardedConnection;

/// By which hooks of this host the packets of another namespace pass.
enum class HostPassage {
  kForward,  ///< routed: prerouting, forward, postrouting
  kInput,    ///< its peer is this host itself: prerouting, input; answers by output, postrouting
  kBridged,  ///< switched from port to port of a bridge; by the hooks of kForward only where br_netfilter has them
             ///< called
  kUnknown,  ///< the route could not be told
};

/// What becomes of a close of a connection of another namespace without its entry here, by what this host does on the
/// way through: the other namespace's own rules are taken to let everything pass.
struct ForwardedOutcome : CloseOutcome {
  HostPassage passage = HostPassage::kUnknown;
  /// This host's conntrack has not been seen to track that namespace: what would be lost only for want of an entry is
  /// kUnknown, and must not be counted as at risk.
  bool may_bypass_tracking = false;
};

/// `history`: what earlier collections saw of its entry in this host's table; null for nothing. Like
/// CloseEvaluator::Evaluate() it asks nobody: run it in EvaluateInRounds().
ForwardedOutcome EvaluateForwardedClose(CloseEvaluator& evaluator, const ForwardedConnection& connection,
                                        const ConnectionHistory* history);

/// The same, packet by packet: what `explain` shows of this host's hop.
firewall::eval::TraversalResult EvaluateForwardedPacket(CloseEvaluator& evaluator,
                                                        const ForwardedConnection& connection,
                                                        const ConnectionHistory* history,
                                                        firewall::eval::PacketKind kind);

/// Why a socket of another namespace that IsStuck() is stuck, as far as this host's rules have a part in it:
/// kForwardDrop, kNatLost, kNoReply, kZeroWindow; no cause where that cannot be told. `socket` has its entry of this
/// host's table.
StuckFinding FindForwardedCause(const kernel::TcpSocket& socket, const ForwardedConnection& connection,
                                const StuckContext& context);

}  // namespace finwait::diagnosis
