#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/firewall/eval/packet_traversal.h"

namespace finwait::diagnosis {

/// What becomes of a connection that is closed when its conntrack entry is gone.
enum class Fate : std::uint8_t {
  kClean,       ///< it closes
  kFinDropped,  ///< its FIN never leaves: the socket sticks, the peer knows nothing
  kAckDropped,  ///< its FIN leaves and the peer's answer is dropped here: the socket sticks
  kNatLost,     ///< it was translated and no longer is: its FIN is misrouted
  /// Its own close works; the peer's FIN, or the ACK of it, is dropped here: one end stays behind if the peer closes
  /// first
  kPeerFinDropped,
  /// The peer's ACK is dropped here and its FIN let in: the socket closes when the peer does. Or the peer has closed,
  /// and its ACK is let in and its RST dropped: the socket closes if the peer still knows the connection
  kPeerDecides,
  kUnknown,  ///< what decides it cannot be known
};
/// The ones that finwait_tcp_at_risk_sockets has, in the order of its label.
inline constexpr Fate kFatesAtRisk[] = {Fate::kFinDropped,     Fate::kAckDropped,  Fate::kNatLost,
                                        Fate::kPeerFinDropped, Fate::kPeerDecides, Fate::kUnknown};
std::string_view Name(Fate fate);
/// Whether a close is known not to work, or not without the peer's help.
constexpr bool WouldStick(Fate fate) { return fate != Fate::kClean && fate != Fate::kUnknown; }

/// How a connection would close, and what decides it.
struct CloseOutcome {
  Fate fate = Fate::kUnknown;
  firewall::eval::TraversalResult fin;
  firewall::eval::TraversalResult ack;       ///< not evaluated with kFinDropped
  firewall::eval::TraversalResult peer_fin;  ///< evaluated only where the peer has not closed and `ack` does not decide
  firewall::eval::TraversalResult last_ack;  ///< this host's ACK of the peer's FIN; evaluated only if that is let in
  firewall::eval::TraversalResult peer_reset;  ///< what a peer answers that is gone; evaluated where that decides
  std::string reason;                          ///< kUnknown: what it hangs on
  /// Facts are missing that somebody can resolve: the evaluation has noted them, and tells more once they are there.
  bool incomplete = false;
};

/// A packet that is dropped or rejected, and decides how the connection closes.
struct DecisiveDrop {
  /// As the local end names it: kFin, kAck, kPeerFin; kData for its ACK of the peer's FIN, kAck for the RST that a peer
  /// answers with that is gone.
  firewall::eval::PacketKind packet = firewall::eval::PacketKind::kFin;
  const firewall::eval::TraversalResult* result = nullptr;  ///< the outcome's, and valid as long; never null
};

/// Which loss makes the outcome's fate; nothing for kClean, kUnknown and kNatLost, whose FIN is misrouted.
std::optional<DecisiveDrop> DecisiveDropOf(const CloseOutcome& outcome);

}  // namespace finwait::diagnosis
