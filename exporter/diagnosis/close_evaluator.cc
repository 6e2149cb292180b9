#include "exporter/diagnosis/close_evaluator.h"

#include <utility>

#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::TraversalResult;
using firewall::eval::Tristate;

// Adds to an unknown outcome's reason why the kernel could not tell where its packets go.
void NameFailedRoute(const Connection& connection, firewall::facts::FactQuery& facts, CloseOutcome& outcome) {
  if (outcome.fate != Fate::kUnknown || !connection.routing || connection.egress.index) {
    return;
  }
  const firewall::facts::Fact* route = facts.Find(*connection.routing);
  if (route != nullptr && route->Why() != nullptr) {
    outcome.reason += ": " + route->Why()->message;
  }
}

// What rules and entries make of a connection. That routing refuses it (a link is down, a route is a blackhole) is
// another failure: it raises no alarm of this one, and is told of one connection that is asked for.
Connection AsIfRouted(Connection connection) {
  connection.as_if_routed = connection.unroutable || connection.address_gone;
  connection.unroutable = false;
  connection.address_gone = false;
  return connection;
}

Tristate WindowIsClosed(const Connection& connection, firewall::facts::FactQuery& facts) {
  if (!connection.local || !connection.peer) {
    return Tristate::kUnknown;
  }
  const auto* socket =
      facts.FindValue<firewall::facts::Socket>(firewall::facts::SocketKey{*connection.local, *connection.peer});
  return socket != nullptr && socket->window_closed ? firewall::packet::TristateOf(*socket->window_closed)
                                                    : Tristate::kUnknown;
}

}  // namespace

CloseOutcome CombineFateWithPrograms(const ClosingPackets& packets, IpFamily family, PacketEvaluator& evaluator) {
  CloseOutcome outcome = CombineFate(packets);
  if (outcome.fate == Fate::kUnknown && evaluator.HasPrograms(family)) {
    const PacketEvaluator::RulesAlone scope(evaluator, true);
    CloseOutcome by_rules = CombineFate(packets);
    if (WouldStick(by_rules.fate)) {
      outcome = std::move(by_rules);
    }
  }
  return outcome;
}

CloseEvaluator::CloseEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                               std::shared_ptr<firewall::facts::FactStore> facts)
    : packets_(std::move(ruleset), std::move(settings), std::move(facts)) {}

Connection CloseEvaluator::WithFacts(const ListedSocket& socket, bool peer_has_closed) {
  const IpFamily family = socket.local.address.Family();
  const bool may_be_in_vrf = socket.device != 0;
  const bool decided = !may_be_in_vrf && !IsLoopback(socket) &&
                       packets_.AllFareAlike(family, socket.control_group, peer_has_closed) &&
                       (packets_.FareAlikeOverLoopback(family, peer_has_closed) ||
                        !IsOwn(packets_.Facts(), socket.peer.address, socket.device));
  return decided ? ConnectionByEnds(socket) : AsIfRouted(ConnectionOf(socket, packets_.Facts()));
}

bool CloseEvaluator::MayBeOwn(const ListedSocket& socket) {
  const std::size_t missed = packets_.Facts().Missed();
  return IsOwn(packets_.Facts(), socket.peer.address, socket.device) || packets_.Facts().Missed() != missed;
}

Connection CloseEvaluator::ConnectionWithFacts(const kernel::TcpSocket& socket) {
  return AsIfRouted(ConnectionOf(ListedSocket(socket), packets_.Facts()));
}

CloseOutcome CloseEvaluator::Evaluate(const kernel::TcpSocket& socket, const ConnectionHistory* history) {
  const std::size_t missed = packets_.Facts().Missed();
  const ListedSocket listed(socket);
  const bool peer_has_closed = PeerHasClosed(socket.state);
  const Connection connection = WithFacts(listed, peer_has_closed);
  CloseOutcome outcome = EvaluateWith(connection, &listed, history, SocketCircumstances::Of(socket));
  if (connection.as_if_routed) {
    outcome.fin.location.reset();  // routing refuses the FIN before that rule, and to change the rule helps nobody
  }
  outcome.incomplete = packets_.Facts().Missed() != missed;
  return outcome;
}

CloseOutcome CloseEvaluator::Evaluate(const Connection& connection, const ConnectionHistory* history,
                                      const SocketCircumstances& circumstances) {
  const std::size_t missed = packets_.Facts().Missed();
  CloseOutcome outcome = EvaluateWith(connection, nullptr, history, circumstances);
  outcome.incomplete = packets_.Facts().Missed() != missed;
  return outcome;
}

// With what the data of a connection that nat translated may be translated to again.
Connection CloseEvaluator::AsResumed(const Connection& connection, const ListedSocket* socket,
                                     const ConnectionHistory* history, Tristate translated) {
  Connection resumed = connection;
  if (translated != Tristate::kNo && socket != nullptr) {
    ListedSocket listed = *socket;
    listed.translated = history != nullptr && history->Translated();
    listed.translation = listed.translated ? history->translation : nullptr;
    resumed = AsIfRouted(ConnectionOf(listed, packets_.Facts()));
  }
  resumed.translated = translated;
  return resumed;
}

CloseOutcome CloseEvaluator::EvaluateWith(const Connection& connection, const ListedSocket* socket,
                                          const ConnectionHistory* history, const SocketCircumstances& circumstances) {
  if (std::string reason = packets_.CarriedByIpvs(connection); !reason.empty()) {
    CloseOutcome unknown;
    unknown.reason = std::move(reason);
    return unknown;
  }
  const std::size_t missed = packets_.Facts().Missed();
  const auto translation = [&] { return packets_.TranslationOf(connection, history, socket); };
  std::optional<Connection> resumed;
  const auto as_resumed = [&]() -> const Connection& {
    if (!resumed) {
      resumed = AsResumed(connection, socket, history, translation().Any());
    }
    return *resumed;
  };
  const ClosingPackets closing = {
      [&](PacketKind kind) {
        const bool again = kind == PacketKind::kData && translation().Any() != Tristate::kNo;
        return again ? packets_.EvaluatePath(as_resumed(), kind) : packets_.EvaluateOne(connection, kind);
      },
      [&] { return packets_.EvaluatePeersLaterFin(connection); },
      [&] { return packets_.LastAck(connection); },
      [&] { return packets_.EvaluatePeersReset(connection); },
      [&](const TraversalResult& ack) { return packets_.ResetOfPeer(connection, PacketKind::kAck, ack); },
      translation,
      [&] { return EvaluateTracked(as_resumed(), circumstances.peer_has_closed); },
      circumstances.peer_has_closed,
      circumstances.sends_first,
      circumstances.multipath,
      [&] { return WindowIsClosed(connection, packets_.Facts()); }};
  CloseOutcome outcome = CombineFateWithPrograms(closing, connection.family, packets_);
  NameMissingFact(missed, outcome);
  NameFailedRoute(connection, packets_.Facts(), outcome);
  return outcome;
}

void CloseEvaluator::NameMissingFact(std::size_t missed, CloseOutcome& outcome) {
  if (outcome.fate == Fate::kUnknown && packets_.Facts().Missed() != missed && !packets_.Facts().Noted().empty()) {
    outcome.reason += " (not read yet: " + Describe(*packets_.Facts().Noted().begin()) + ")";
  }
}

Fate CloseEvaluator::FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* history) {
  if (const auto remembered = Remembered(socket, history)) {
    return *remembered;
  }
  packets_.Facts().TakeHungOn();
  const PacketEvaluator::RulesAlone scope(packets_, socket.entry.tracking == kernel::Tracking::kTracked);
  const CloseOutcome outcome = Evaluate(socket, history);
  memo_.Remember(socket, history, outcome, packets_.Facts().TakeHungOn(), packets_.Store().Now());
  return outcome.fate;
}

bool CloseEvaluator::AllTrackedAreClean(const ListedSocket& socket, bool peer_has_closed) {
  const IpFamily family = socket.local.address.Family();
  const auto are_clean = [&](PathKind path) {
    return packets_.AllTrackedAreClean(family, path, peer_has_closed, socket.translated);
  };
  if (socket.translated) {  // to this host's own addresses, or from them to others
    return are_clean(PathKind::kLoopback) && are_clean(PathKind::kLocal);
  }
  const bool over_loopback = are_clean(PathKind::kLoopback);
  return IsLoopback(socket) ? over_loopback : are_clean(PathKind::kLocal) && (over_loopback || !MayBeOwn(socket));
}

TraversalResult CloseEvaluator::TrackedPacket(const kernel::TcpSocket& socket, PacketKind kind) {
  const ListedSocket listed(socket);
  // Of a closing socket the FIN and what answers it are of interest.
  return packets_.EvaluateTrackedFromPeer(
      AllTrackedAreClean(listed, true) ? ConnectionByEnds(listed) : AsIfRouted(ConnectionOf(listed, packets_.Facts())),
      kind);
}

CloseOutcome CloseEvaluator::EvaluateTracked(const kernel::TcpSocket& socket) {
  const ListedSocket listed(socket);
  const bool peer_has_closed = PeerHasClosed(socket.state);
  if (AllTrackedAreClean(listed, peer_has_closed)) {
    CloseOutcome outcome;
    outcome.fate = Fate::kClean;
    return outcome;
  }
  const std::size_t missed = packets_.Facts().Missed();
  CloseOutcome outcome = EvaluateTracked(AsIfRouted(ConnectionOf(listed, packets_.Facts())), peer_has_closed);
  // What is lost for certain, or passes for certain, needs none of the facts that were missed.
  const auto is_unknown = [](const TraversalResult& result) { return result.disposition == Disposition::kUnknown; };
  const bool unknown = is_unknown(outcome.fin) || (outcome.fate != Fate::kFinDropped && is_unknown(outcome.ack)) ||
                       (outcome.fate == Fate::kClean && !peer_has_closed &&
                        (is_unknown(outcome.peer_fin) || is_unknown(outcome.last_ack)));
  outcome.incomplete = unknown && packets_.Facts().Missed() != missed;
  return outcome;
}

CloseOutcome CloseEvaluator::EvaluateTracked(const Connection& connection, bool peer_has_closed) {
  if (!packets_.CarriedByIpvs(connection).empty()) {
    CloseOutcome outcome;
    outcome.fate = Fate::kClean;  // its data comes through, and so does what closes it
    return outcome;
  }
  return CombineTrackedFate(
      {[&](PacketKind kind) { return packets_.EvaluateTrackedFromPeer(connection, kind); },
       [&] { return packets_.TrackedLastAck(connection); },
       [&](const TraversalResult& ack) { return packets_.ResetOfPeer(connection, PacketKind::kAck, ack); },
       peer_has_closed});
}

std::optional<Fate> CloseEvaluator::RememberedTracked(const kernel::TcpSocket& socket) {
  if (AllTrackedAreClean(ListedSocket(socket), PeerHasClosed(socket.state))) {
    return Fate::kClean;
  }
  return tracked_memo_.Find(socket, nullptr, packets_.Store());
}

Fate CloseEvaluator::TrackedFateOf(const kernel::TcpSocket& socket) {
  if (const auto remembered = RememberedTracked(socket)) {
    return *remembered;
  }
  packets_.Facts().TakeHungOn();
  const CloseOutcome outcome = EvaluateTracked(socket);
  tracked_memo_.Remember(socket, nullptr, outcome, packets_.Facts().TakeHungOn(), packets_.Store().Now());
  return outcome.fate;
}

}  // namespace finwait::diagnosis
