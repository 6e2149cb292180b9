#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/hook_traversal.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/model/rule_id.h"

namespace finwait::firewall::eval {

enum class Disposition { kAccept, kDrop, kReject, kUnknown };

/// "accept", "drop", "reject", "unknown".
std::string_view Name(Disposition disposition);

/// What becomes of one packet of a connection whose conntrack entry is gone.
struct TraversalResult {
  Disposition disposition = Disposition::kUnknown;
  /// What conntrack says of the packet where it is decided; absent where conntrack is not active.
  std::optional<PacketTracking> state;
  /// Where it is decided; absent where no chain looks at the packet.
  std::optional<Hook> hook;
  /// The rule or the policy that decides. kAccept: the last one that let it pass.
  /// kUnknown: the first one whose answer nobody can know.
  std::optional<RuleId> location;
  std::string reason;  ///< kUnknown: what it hangs on. Else a remark, mostly empty
};

/// Evaluates one packet of `connection` on its whole way through this network namespace.
///
/// kFin: the FIN of a close. A FIN that does not leave is tried again, by a timer, when the process may be gone and
/// with PSH set (tcp_write_wakeup()); it counts as dropped only if such a packet is dropped too, or if a rule answers
/// the first with a reset that gets to the socket, which then is gone and tries no more.
/// A packet that is dropped by one of two possible rules is dropped, and one that is rejected by the only possible rule
/// is rejected.
TraversalResult EvaluatePacket(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                               const PacketPathSettings& settings);

/// The same for the ACK by which this end answers the peer's FIN: kData without data.
TraversalResult EvaluateLastAck(ChainEvaluator& evaluator, const Connection& connection,
                                const PacketPathSettings& settings);

/// The same for the FIN of a peer that closes after this end, behind its ACK where that is let in (one that comes first
/// is kPeerFin). Nothing where it meets the same: what came before it makes no entry and changes no set.
std::optional<TraversalResult> EvaluatePeersLaterFin(ChainEvaluator& evaluator, const Connection& connection,
                                                     const PacketPathSettings& settings);

/// The same for the RST with which a peer answers the FIN that knows nothing of the connection any more (INVALID). It
/// finds a socket that no process holds any more, unless it is as fast as close() itself: where that matters, unknown.
TraversalResult EvaluatePeerReset(ChainEvaluator& evaluator, const Connection& connection,
                                  const PacketPathSettings& settings);

/// The same for the RST by which a rule that rejects "with tcp reset" answers a packet of `kind` without an entry of
/// its own connection. `rejected`: what conntrack took that packet for.
TraversalResult EvaluateResetAnswer(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                                    PacketTracking rejected, const PacketPathSettings& settings);

/// The same for a packet whose conntrack entry is there (ctstate ESTABLISHED), the tries of a FIN included.
TraversalResult EvaluateTrackedPacket(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                                      const PacketPathSettings& settings);
/// The same for the ACK by which this end answers the peer's FIN.
TraversalResult EvaluateTrackedLastAck(ChainEvaluator& evaluator, const Connection& connection,
                                       const PacketPathSettings& settings);

}  // namespace finwait::firewall::eval
