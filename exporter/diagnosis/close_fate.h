#pragma once

#include <functional>

#include "collectors/firewall/eval/nat_effect.h"
#include "exporter/diagnosis/close_outcome.h"

namespace finwait::diagnosis {

/// What the fate of a connection is put together from, each asked for only where it matters.
struct ClosingPackets {
  /// What becomes of one of its packets, as its own end names them: kFin, kAck, kPeerFin.
  std::function<firewall::eval::TraversalResult(firewall::eval::PacketKind)> traverse;
  /// What becomes of the ACK of the peer's FIN.
  std::function<firewall::eval::TraversalResult()> last_ack;
  /// Whether nat translated it when it was opened.
  std::function<firewall::eval::NatEffect()> translation;
  bool peer_has_closed = false;  ///< the peer's FIN has come
};

/// How a connection closes without its entry.
CloseOutcome CombineFate(const ClosingPackets& packets);

}  // namespace finwait::diagnosis
