#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "collectors/firewall/eval/nat_effect.h"
#include "exporter/diagnosis/close_outcome.h"

namespace finwait::diagnosis {

/// What the fate of a connection is put together from, each asked for only where it matters.
struct ClosingPackets {
  /// What becomes of one of its packets, as its own end names them: kFin, kAck, kPeerFin.
  std::function<firewall::eval::TraversalResult(firewall::eval::PacketKind)> traverse;
  /// What becomes of the peer's FIN when it closes after this end.
  std::function<firewall::eval::TraversalResult()> later_peer_fin;
  /// What becomes of the ACK of the peer's FIN.
  std::function<firewall::eval::TraversalResult()> last_ack;
  /// What becomes of the RST of a peer that has no such connection any more.
  std::function<firewall::eval::TraversalResult()> peer_reset;
  /// What becomes of the RST by which this host answers the peer's ACK that it rejects; nothing where it sends none.
  std::function<std::optional<firewall::eval::TraversalResult>(const firewall::eval::TraversalResult&)> reset_of_peer;
  /// Whether nat translated it when it was opened.
  std::function<firewall::eval::NatEffect()> translation;
  /// How it closes once it has an entry again.
  std::function<CloseOutcome()> with_entry;
  bool peer_has_closed = false;  ///< the peer's FIN has come
  /// Data or window probes go out before the FIN and again and again: they bring the entry back, and the FIN has it.
  bool sends_first = false;
  /// Multipath TCP: either end closes by a bare ACK first, with a DATA_FIN in it, which makes an entry where it is let
  /// through (__mptcp_wr_shutdown()); FINs follow once both have.
  bool multipath = false;
  /// Whether the peer's window is closed: then it sends an update of it once it reads.
  std::function<firewall::eval::Tristate()> window_closed;
};

/// What the fate of a connection with an entry is put together from, each asked for only where it matters.
struct TrackedPackets {
  /// What becomes of one of its packets, as its own end names them: kFin, kAck, kPeerFin.
  std::function<firewall::eval::TraversalResult(firewall::eval::PacketKind)> traverse;
  /// What becomes of the ACK of the peer's FIN.
  std::function<firewall::eval::TraversalResult()> last_ack;
  /// What becomes of the RST by which this host answers the peer's ACK that it rejects; nothing where it sends none.
  std::function<std::optional<firewall::eval::TraversalResult>(const firewall::eval::TraversalResult&)> reset_of_peer;
  bool peer_has_closed = false;  ///< the peer's FIN has come
};

/// In the reason of an outcome that is unknown because of what nat may have done when the connection was opened.
inline constexpr std::string_view kNotToldTranslated = "whether it was translated cannot be told";

/// How a connection closes without its entry.
CloseOutcome CombineFate(const ClosingPackets& packets);

/// How it closes while its entry is there: any fate but kNatLost and kUnknown. A packet that is lost by chance is tried
/// again: what cannot be known is taken for clean, as nearly all rulesets let pass what has an entry.
CloseOutcome CombineTrackedFate(const TrackedPackets& packets);

/// Whether what becomes of a close now that the entry is there (`with_entry`) is worse than what becomes of it later.
bool DecidesBefore(const CloseOutcome& with_entry, const CloseOutcome& without);

}  // namespace finwait::diagnosis
