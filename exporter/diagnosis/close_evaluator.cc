#include "exporter/diagnosis/close_evaluator.h"

#include <utility>

#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::NatEffect;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::TraversalResult;
using firewall::eval::Tristate;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;

// Every connection of the family: whatever is certain of it is certain of each.
Connection AnyConnection(IpFamily family) {
  Connection connection;
  connection.family = family;
  connection.local_socket.mark.reset();
  connection.local_socket.held = false;  // an orphan's packets have no owner; a rule that asks for one is not certain
  return connection;
}

// The peer's FIN has been received: it sends no other one.
bool PeerHasClosed(kernel::TcpState state) {
  return state == kernel::TcpState::kCloseWait || state == kernel::TcpState::kLastAck ||
         state == kernel::TcpState::kClosing;
}

Tristate TristateOf(const std::optional<bool>& known) {
  return known ? firewall::eval::TristateOf(*known) : Tristate::kUnknown;
}

}  // namespace

std::string_view Name(Fate fate) {
  constexpr std::string_view kNames[] = {"clean",        "fin_dropped", "ack_dropped", "nat_lost", "peer_fin_dropped",
                                         "peer_decides", "unknown"};
  return kNames[static_cast<std::size_t>(fate)];
}

CloseEvaluator::CloseEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                               std::shared_ptr<firewall::facts::FactStore> facts)
    : ruleset_(std::move(ruleset)),
      settings_(settings),
      store_(facts != nullptr ? std::move(facts) : std::make_shared<firewall::facts::FactStore>()),
      facts_(*store_),
      evaluator_(*ruleset_, &facts_),
      translation_(evaluator_, facts_) {}

firewall::eval::NamespaceSettings CloseEvaluator::SettingsFor(IpFamily family, bool tcp_loose) {
  firewall::eval::NamespaceSettings settings;
  settings.tcp_loose = tcp_loose;
  settings.conntrack_active = settings_.conntrack_active[static_cast<std::size_t>(family)];
  if (const auto* facts = facts_.FindValue<NamespaceFacts>(NamespaceKey{family})) {
    settings.early_demultiplexing = TristateOf(facts->early_demultiplexing);
    settings.routes_by_mark = TristateOf(facts->routes_by_mark);
  }
  return settings;
}

TraversalResult CloseEvaluator::EvaluatePath(const Connection& connection, PacketKind kind) {
  evaluator_.ResetBudget();
  TraversalResult result = firewall::eval::EvaluatePacket(
      evaluator_, connection, kind, SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
  if (!settings_.tcp_loose) {
    evaluator_.ResetBudget();
    const TraversalResult other =
        firewall::eval::EvaluatePacket(evaluator_, connection, kind, SettingsFor(connection.family, false));
    if (IsLost(other.decision) != IsLost(result.decision) || other.decision == Disposition::kUnknown) {
      result = TraversalResult();
      result.reason = "nf_conntrack_tcp_loose could not be read";
    }
  }
  if (result.decision != Disposition::kUnknown) {
    for (const firewall::Backend backend : firewall::kBackends) {
      if (!IsLost(result.decision) && firewall::IsBlind(*ruleset_, backend, connection.family)) {
        result.decision = Disposition::kUnknown;
        result.reason = std::string(firewall::Name(backend)) + " rules could not be read";
      }
    }
  }
  return result;
}

const std::optional<TraversalResult>& CloseEvaluator::ForAll(IpFamily family, PacketKind kind) {
  const auto [found, is_new] = for_all_.try_emplace({family, kind});
  ForFamily& known = found->second;
  if (!is_new && (known.complete ? store_->Holds(known.hung_on, known.facts_as_of) : known.puts == store_->Puts())) {
    facts_.NoteHungOn(known.hung_on);
    if (!known.complete) {
      facts_.NoteMissed();
    }
    return known.result;
  }
  const firewall::facts::FactKinds before = facts_.TakeHungOn();
  const std::size_t missed = facts_.Missed();
  // The FIN of a process that still holds its socket and of an orphan must fare alike for the result to hold for all.
  Connection orphaned = AnyConnection(family);
  Connection held = orphaned;
  held.local_socket.held = true;
  known.result.reset();
  TraversalResult result = EvaluatePath(orphaned, kind);
  if (result.decision != Disposition::kUnknown && EvaluatePath(held, kind).decision == result.decision) {
    known.result = std::move(result);
  }
  known.hung_on = facts_.TakeHungOn();
  known.facts_as_of = store_->Now();
  known.complete = facts_.Missed() == missed;
  known.puts = store_->Puts();
  facts_.NoteHungOn(static_cast<firewall::facts::FactKinds>(before | known.hung_on));
  return known.result;
}

TraversalResult CloseEvaluator::ForOne(const Connection& connection, PacketKind kind) {
  if (connection.journey == PathKind::kLocal && connection.within == nullptr) {
    if (const auto& for_all = ForAll(connection.family, kind)) {
      return *for_all;
    }
  }
  return EvaluatePath(connection, kind);
}

Connection CloseEvaluator::WithFacts(const ListedSocket& socket, bool peer_has_closed) {
  const IpFamily family = socket.local.address.Family();
  // Most rulesets decide without asking for a device or a mark; only then are these asked for.
  const auto& fin = ForAll(family, PacketKind::kFin);
  const bool decided = !IsLoopback(socket) && fin && !IsLost(fin->decision) &&
                       ForAll(family, PacketKind::kAck).has_value() &&
                       (peer_has_closed || (ForAll(family, PacketKind::kPeerFin) && ForAll(family, PacketKind::kData)));
  return decided ? ConnectionByEnds(socket) : ConnectionOf(socket, facts_);
}

NatEffect CloseEvaluator::TranslationOf(const Connection& connection, const ConnectionHistory* history) {
  return TranslationWith(connection, nullptr, history);
}

NatEffect CloseEvaluator::TranslationWith(const Connection& connection, const ListedSocket* socket,
                                          const ConnectionHistory* history) {
  if (const auto seen = TranslationHistory::Seen(history)) {
    return *seen;
  }
  const firewall::eval::NamespaceSettings settings = SettingsFor(connection.family, true);
  if (connection.within != nullptr) {
    return firewall::eval::EvaluateNat(evaluator_, connection, connection.opened_by, settings);
  }
  // Which end opened the connection, and where it leaves under which address, is asked for only where the nat chains
  // alone do not tell.
  NatEffect effect = translation_.ByRules(connection, OpenedBy::kUnknown, settings);
  if (effect.Any() != Tristate::kUnknown) {
    return effect;
  }
  if (connection.journey != PathKind::kLocal) {
    return connection.opened_by != OpenedBy::kUnknown ? translation_.ByRules(connection, connection.opened_by, settings)
                                                      : effect;
  }
  const Connection known = socket != nullptr ? ConnectionOf(*socket, facts_) : connection;
  return translation_.ByRules(known, known.opened_by, settings);
}

CloseOutcome CloseEvaluator::Evaluate(const kernel::TcpSocket& socket, const ConnectionHistory* history) {
  const std::size_t missed = facts_.Missed();
  const ListedSocket listed(socket);
  const bool peer_has_closed = PeerHasClosed(socket.state);
  CloseOutcome outcome = EvaluateWith(WithFacts(listed, peer_has_closed), &listed, history, peer_has_closed);
  outcome.incomplete = facts_.Missed() != missed;
  return outcome;
}

CloseOutcome CloseEvaluator::Evaluate(const Connection& connection, const ConnectionHistory* history) {
  const std::size_t missed = facts_.Missed();
  CloseOutcome outcome = EvaluateWith(connection, nullptr, history, false);
  outcome.incomplete = facts_.Missed() != missed;
  return outcome;
}

CloseOutcome CloseEvaluator::EvaluateWith(const Connection& connection, const ListedSocket* socket,
                                          const ConnectionHistory* history, bool peer_has_closed) {
  const std::size_t missed = facts_.Missed();
  CloseOutcome outcome;
  outcome.fin = ForOne(connection, PacketKind::kFin);
  if (IsLost(outcome.fin.decision)) {
    outcome.fate = Fate::kFinDropped;
    return outcome;
  }
  outcome.ack = ForOne(connection, PacketKind::kAck);
  const NatEffect nat = TranslationWith(connection, socket, history);
  if (nat.Any() == Tristate::kYes) {
    outcome.fate = Fate::kNatLost;
    return outcome;
  }
  if (nat.Any() == Tristate::kUnknown) {
    outcome.fate = Fate::kUnknown;
    outcome.reason =
        "its conntrack entry was gone before it was first collected, and whether it was translated cannot be told: " +
        nat.reason;
  } else if (outcome.fin.decision == Disposition::kUnknown) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = outcome.fin.reason;
  } else {
    EvaluatePeersHalf(connection, peer_has_closed, outcome);
  }
  if (outcome.fate == Fate::kUnknown && facts_.Missed() != missed && !facts_.Noted().empty()) {
    outcome.reason += " (not read yet: " + Describe(*facts_.Noted().begin()) + ")";
  }
  return outcome;
}

void CloseEvaluator::EvaluatePeersHalf(const Connection& connection, bool peer_has_closed, CloseOutcome& outcome) {
  const auto unknown = [&](const TraversalResult& result) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = result.reason;
  };
  if (outcome.ack.decision == Disposition::kUnknown) {
    return unknown(outcome.ack);
  }
  const bool ack_lost = IsLost(outcome.ack.decision);
  if (peer_has_closed) {  // its FIN has come, and a second one with an ACK in it will not
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kClean;
    return;
  }
  outcome.peer_fin = ForOne(connection, PacketKind::kPeerFin);
  if (IsLost(outcome.peer_fin.decision)) {
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kPeerFinDropped;
    return;
  }
  if (outcome.peer_fin.decision == Disposition::kUnknown) {
    return unknown(outcome.peer_fin);
  }
  if (ack_lost) {  // the peer's FIN acknowledges ours as well as a bare ACK does
    outcome.fate = Fate::kPeerDecides;
    return;
  }
  outcome.last_ack = ForOne(connection, PacketKind::kData);  // a bare ACK, as every segment of data is
  if (outcome.last_ack.decision == Disposition::kUnknown) {
    return unknown(outcome.last_ack);
  }
  outcome.fate = IsLost(outcome.last_ack.decision) ? Fate::kPeerFinDropped : Fate::kClean;
}

Fate CloseEvaluator::FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* history) {
  if (const auto remembered = Remembered(socket, history)) {
    return *remembered;
  }
  facts_.TakeHungOn();
  const CloseOutcome outcome = Evaluate(socket, history);
  memo_.Remember(socket, history, outcome, facts_.TakeHungOn(), store_->Now());
  return outcome.fate;
}

TraversalResult CloseEvaluator::TrackedFin(const kernel::TcpSocket& socket) {
  const Connection connection = WithFacts(ListedSocket(socket), PeerHasClosed(socket.state));
  evaluator_.ResetBudget();
  return firewall::eval::EvaluateTrackedPacket(evaluator_, connection, PacketKind::kFin,
                                               SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
}

TraversalResult CloseEvaluator::General(IpFamily family, PathKind path, PacketKind kind) {
  return EvaluatePath(firewall::eval::RepresentativeFlow(family, path), kind);
}

}  // namespace finwait::diagnosis
