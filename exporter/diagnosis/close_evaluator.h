#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/close_fate.h"
#include "exporter/diagnosis/close_outcome.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/outcome_memo.h"
#include "exporter/diagnosis/packet_evaluator.h"

namespace finwait::diagnosis {

/// What a live socket tells beyond its connection.
struct SocketCircumstances {
  bool peer_has_closed = false;  ///< CLOSE_WAIT: its FIN has come, and no second one will
  /// Data or window probes go out before the FIN and again and again: they bring the entry back, and the FIN has it.
  bool sends_first = false;
  bool multipath = false;  ///< of Multipath TCP: see ClosingPackets

  static SocketCircumstances Of(const kernel::TcpSocket& socket) {
    return {PeerHasClosed(socket.state), socket.SendsBeforeFin(), socket.multipath.value_or(false)};
  }
};

/// CombineFate(); and where programs that are no rules leave it unknown, what the rules alone lose for certain: such
/// programs only drop more.
CloseOutcome CombineFateWithPrograms(const ClosingPackets& packets, IpFamily family, PacketEvaluator& evaluator);

/// What becomes of a close, by what becomes of its packets (Packets()). Facts that are missing are noted there, and
/// EvaluateInRounds() is the loop. What depends on addresses is evaluated once a connection, and remembered. Not
/// thread-safe.
class CloseEvaluator {
 public:
  /// As PacketEvaluator.
  CloseEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                 std::shared_ptr<firewall::facts::FactStore> facts);

  PacketEvaluator& Packets() { return packets_; }
  const PacketEvaluator& Packets() const { return packets_; }

  /// The outcome of a close of `socket` without an entry, as rules decide: here and below, a socket is taken to be
  /// routed, whether routing refuses it or not. `history`: what earlier collections saw of it, null for nothing.
  CloseOutcome Evaluate(const kernel::TcpSocket& socket, const ConnectionHistory* history);
  /// The same for a connection that need have no socket here, and what routing does to it.
  CloseOutcome Evaluate(const firewall::eval::Connection& connection, const ConnectionHistory* history,
                        const SocketCircumstances& circumstances = {});
  /// The fate alone, remembered. Complete only if Remembered() finds it afterwards. Of a socket that has its entry, it
  /// is what the rules alone would come to without: what else may drop its packets lets them pass today, and tells no
  /// healthy host from another.
  Fate FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* history);
  /// The fate if it has been evaluated before under the same circumstances.
  std::optional<Fate> Remembered(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.Find(socket, history, packets_.Store());
  }
  /// The same, also where facts were missing for it.
  std::optional<Fate> RememberedProvisionally(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.FindProvisional(socket, history, packets_.Store());
  }
  /// OutcomeMemo::FindSite() of the fate that is remembered.
  std::uint16_t RememberedSite(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.FindSite(socket, history, packets_.Store());
  }

  /// The outcome of a close of `socket` while its entry is there: CombineTrackedFate(), where rules drop FINs or
  /// ACKs that have an entry (leak prevention, for one).
  CloseOutcome EvaluateTracked(const kernel::TcpSocket& socket);
  CloseOutcome EvaluateTracked(const firewall::eval::Connection& connection, bool peer_has_closed);
  /// Its fate alone, remembered.
  Fate TrackedFateOf(const kernel::TcpSocket& socket);
  /// The fate if it is known for all connections like it, or has been evaluated before.
  std::optional<Fate> RememberedTracked(const kernel::TcpSocket& socket);
  std::uint16_t RememberedTrackedSite(const kernel::TcpSocket& socket) const {
    return tracked_memo_.FindSite(socket, nullptr, packets_.Store());
  }
  /// What this host's rules do to the FIN of a socket whose entry is there (ctstate ESTABLISHED).
  firewall::eval::TraversalResult TrackedFin(const kernel::TcpSocket& socket) {
    return TrackedPacket(socket, firewall::eval::PacketKind::kFin);
  }
  /// What they do to the peer's ACK of that FIN.
  firewall::eval::TraversalResult TrackedAck(const kernel::TcpSocket& socket) {
    return TrackedPacket(socket, firewall::eval::PacketKind::kAck);
  }

  /// The connection of a socket, with the facts that rules ask for.
  firewall::eval::Connection ConnectionWithFacts(const kernel::TcpSocket& socket);
  /// Adds to an unknown fate's reason what was missing for it since Facts().Missed() was `missed`.
  void NameMissingFact(std::size_t missed, CloseOutcome& outcome);
  /// Prunes the sockets that are not among `sockets`.
  void Retain(const kernel::SocketTable& sockets) {
    memo_.Retain(sockets);
    tracked_memo_.Retain(sockets);
  }

 private:
  firewall::eval::TraversalResult TrackedPacket(const kernel::TcpSocket& socket, firewall::eval::PacketKind kind);
  CloseOutcome EvaluateWith(const firewall::eval::Connection& connection, const ListedSocket* socket,
                            const ConnectionHistory* history, const SocketCircumstances& circumstances);
  firewall::eval::Connection AsResumed(const firewall::eval::Connection& connection, const ListedSocket* socket,
                                       const ConnectionHistory* history, firewall::eval::Tristate translated);
  firewall::eval::Connection WithFacts(const ListedSocket& socket, bool peer_has_closed);
  /// Whether every connection like `socket` closes cleanly while its entry is there.
  bool AllTrackedAreClean(const ListedSocket& socket, bool peer_has_closed);
  /// Whether its peer is this host too, or that has yet to be asked for. The packets of a connection between two of
  /// its addresses come in again.
  bool MayBeOwn(const ListedSocket& socket);

  PacketEvaluator packets_;
  OutcomeMemo memo_;
  OutcomeMemo tracked_memo_;  // of sockets whose entry is there
};

}  // namespace finwait::diagnosis
