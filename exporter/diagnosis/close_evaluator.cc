#include "exporter/diagnosis/close_evaluator.h"

#include <utility>

#include "exporter/diagnosis/close_fate.h"
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
    settings.routes_by_ports = TristateOf(facts->routes_by_ports);
    settings.forwards = TristateOf(facts->forwards);
  }
  return settings;
}

TraversalResult CloseEvaluator::EvaluateWithSettings(IpFamily family, const Evaluation& evaluate) {
  evaluator_.ResetBudget();
  TraversalResult result = evaluate(SettingsFor(family, settings_.tcp_loose.value_or(true)));
  if (!settings_.tcp_loose) {
    evaluator_.ResetBudget();
    const TraversalResult other = evaluate(SettingsFor(family, false));
    if (IsLost(other.decision) != IsLost(result.decision) || other.decision == Disposition::kUnknown) {
      result = TraversalResult();
      result.reason = "nf_conntrack_tcp_loose could not be read";
    }
  }
  if (result.decision != Disposition::kUnknown) {
    for (const firewall::Backend backend : firewall::kBackends) {
      if (!IsLost(result.decision) && firewall::IsBlind(*ruleset_, backend, family)) {
        result.decision = Disposition::kUnknown;
        result.reason = std::string(firewall::Name(backend)) + " rules could not be read";
      }
    }
  }
  return result;
}

TraversalResult CloseEvaluator::EvaluatePath(const Connection& connection, PacketKind kind) {
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::NamespaceSettings& settings) {
    return firewall::eval::EvaluatePacket(evaluator_, connection, kind, settings);
  });
}

// What holds for all that this end may send holds for an ACK without data, too.
TraversalResult CloseEvaluator::LastAck(const Connection& connection) {
  if (connection.journey == PathKind::kLocal) {
    if (const auto& for_all = ForAll(connection.family, PacketKind::kData)) {
      return *for_all;
    }
  }
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::NamespaceSettings& settings) {
    return firewall::eval::EvaluateLastAck(evaluator_, connection, settings);
  });
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
  if (connection.journey == PathKind::kLocal) {
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
  // Which end opened the connection, and where it leaves under which address, is asked for only where the nat chains
  // alone do not tell.
  const bool forwarded = connection.journey == PathKind::kForwarded;
  NatEffect effect = translation_.ByRules(connection, forwarded ? connection.opened_by : OpenedBy::kUnknown, settings);
  if (effect.Any() != Tristate::kUnknown || connection.journey != PathKind::kLocal) {
    return effect;
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
  CloseOutcome outcome = CombineFate({[&](PacketKind kind) { return ForOne(connection, kind); },
                                      [&] { return LastAck(connection); },
                                      [&] { return TranslationWith(connection, socket, history); }, peer_has_closed});
  NameMissingFact(missed, outcome);
  return outcome;
}

void CloseEvaluator::NameMissingFact(std::size_t missed, CloseOutcome& outcome) const {
  if (outcome.fate == Fate::kUnknown && facts_.Missed() != missed && !facts_.Noted().empty()) {
    outcome.reason += " (not read yet: " + Describe(*facts_.Noted().begin()) + ")";
  }
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
  return EvaluateTracked(WithFacts(ListedSocket(socket), PeerHasClosed(socket.state)), PacketKind::kFin);
}

TraversalResult CloseEvaluator::EvaluateTracked(const Connection& connection, PacketKind kind) {
  evaluator_.ResetBudget();
  return firewall::eval::EvaluateTrackedPacket(evaluator_, connection, kind,
                                               SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
}

TraversalResult CloseEvaluator::General(IpFamily family, PathKind path, PacketKind kind) {
  return EvaluatePath(firewall::eval::RepresentativeFlow(family, path), kind);
}

}  // namespace finwait::diagnosis
