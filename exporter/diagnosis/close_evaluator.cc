#include "exporter/diagnosis/close_evaluator.h"

#include <algorithm>
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

// A connection between two sockets of this host: a packet that goes out comes in again.
bool IsLoopback(const kernel::TcpSocket& socket) {
  return socket.peer.address.IsLoopback() || socket.local.address == socket.peer.address;
}

// Every connection of the family: whatever is certain of it is certain of each.
Connection AnyConnection(IpFamily family) {
  Connection connection;
  connection.family = family;
  connection.local_socket.mark.reset();
  connection.local_socket.held = false;  // an orphan's packets have no owner; a rule that asks for one is not certain
  return connection;
}

}  // namespace

std::string_view Name(Fate fate) {
  constexpr std::string_view kNames[] = {"clean", "fin_dropped", "ack_dropped", "nat_lost", "unknown"};
  return kNames[static_cast<std::size_t>(fate)];
}

CloseEvaluator::CloseEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                               KernelQueries questions)
    : ruleset_(std::move(ruleset)),
      settings_(settings),
      questions_(std::move(questions)),
      evaluator_(*ruleset_, questions_.rules.get()) {}

firewall::eval::NamespaceSettings CloseEvaluator::SettingsFor(IpFamily family, bool tcp_loose) const {
  firewall::eval::NamespaceSettings settings;
  settings.tcp_loose = tcp_loose;
  settings.early_demultiplexing = settings_.early_demultiplexing;
  settings.routes_by_mark = settings_.routes_by_mark;
  settings.conntrack_active = settings_.conntrack_active[static_cast<std::size_t>(family)];
  return settings;
}

TraversalResult CloseEvaluator::EvaluatePath(const Connection& connection, PacketKind kind) {
  evaluator_.ResetBudget();
  TraversalResult verdict = firewall::eval::EvaluatePacket(
      evaluator_, connection, kind, SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
  if (!settings_.tcp_loose) {
    evaluator_.ResetBudget();
    const TraversalResult other =
        firewall::eval::EvaluatePacket(evaluator_, connection, kind, SettingsFor(connection.family, false));
    if (IsLost(other.decision) != IsLost(verdict.decision) || other.decision == Disposition::kUnknown) {
      verdict = TraversalResult();
      verdict.reason = "nf_conntrack_tcp_loose could not be read";
    }
  }
  if (verdict.decision != Disposition::kUnknown) {
    for (const firewall::Backend backend : firewall::kBackends) {
      if (!IsLost(verdict.decision) && firewall::IsBlind(*ruleset_, backend, connection.family)) {
        verdict.decision = Disposition::kUnknown;
        verdict.reason = std::string(firewall::Name(backend)) + " rules could not be read";
      }
    }
  }
  return verdict;
}

const std::optional<TraversalResult>& CloseEvaluator::ForAll(IpFamily family, PacketKind kind) {
  const auto [found, is_new] = for_all_.try_emplace({family, kind});
  if (is_new) {
    // The FIN of a process that still holds its socket and of an orphan must fare alike for the answer to be one for
    // all.
    Connection orphaned = AnyConnection(family);
    Connection held = orphaned;
    held.local_socket.held = true;
    const TraversalResult verdict = EvaluatePath(orphaned, kind);
    if (verdict.decision != Disposition::kUnknown && EvaluatePath(held, kind).decision == verdict.decision) {
      found->second = verdict;
    }
  }
  return found->second;
}

TraversalResult CloseEvaluator::ForOne(const Connection& connection, PacketKind kind) {
  if (connection.journey == PathKind::kLocal) {
    if (const auto& for_all = ForAll(connection.family, kind)) {
      return *for_all;
    }
  }
  return EvaluatePath(connection, kind);
}

firewall::eval::Interface CloseEvaluator::DeviceOf(const kernel::Route& route) {
  return {route.interface_name, route.interface_index, route.interface_type, route.interface_group,
          route.interface_kind};
}

Connection CloseEvaluator::ConnectionFor(const kernel::TcpSocket& socket, const std::optional<kernel::Route>& route) {
  Connection connection;
  connection.family = socket.local.address.Family();
  connection.journey = IsLoopback(socket) || (route && route->local) ? PathKind::kLoopback : PathKind::kLocal;
  connection.local = socket.local;
  connection.peer = socket.peer;
  connection.local_socket.mark.reset();  // SO_MARK is not read: it needs CAP_NET_ADMIN and an attribute a socket
  connection.peer_socket.mark.reset();
  connection.local_socket.user = socket.uid;
  connection.local_socket.held = socket.IsOpen();
  if (route && !route->local) {
    connection.egress = DeviceOf(*route);
  }
  return connection;
}

Connection CloseEvaluator::Routed(const kernel::TcpSocket& socket) {
  const IpFamily family = socket.local.address.Family();
  // Most rulesets decide without asking for a device; only then is routing asked. Where the FIN is lost, nobody asks
  // for its ACK, and a route costs less than to find out.
  const auto& fin = ForAll(family, PacketKind::kFin);
  const bool decided = fin && !IsLost(fin->decision) && ForAll(family, PacketKind::kAck);
  std::optional<kernel::Route> route;
  if (!decided && questions_.route && !IsLoopback(socket)) {
    route = questions_.route(socket.local.address, socket.peer.address);
  }
  return ConnectionFor(socket, route);
}

firewall::eval::NatEffect CloseEvaluator::NatOf(const Connection& connection, firewall::eval::OpenedBy opened_by) {
  const firewall::eval::NamespaceSettings settings = SettingsFor(connection.family, true);
  const auto evaluate = [&](firewall::eval::OpenedBy by) {
    return firewall::eval::EvaluateNat(evaluator_, connection, by, settings);
  };
  const auto arrivals_left_alone = [&] {
    if (connection.journey != PathKind::kLocal || !connection.local) {
      return false;
    }
    const auto [known, is_new] = arrivals_left_alone_.try_emplace(connection.local->address, false);
    if (is_new) {
      known->second = firewall::eval::LeavesArrivalsAlone(evaluator_, connection.local->address, settings);
    }
    return known->second;
  };
  if (opened_by == firewall::eval::OpenedBy::kLocal || !arrivals_left_alone()) {
    return evaluate(opened_by);
  }
  const firewall::eval::NatEffect untouched{Tristate::kNo, Tristate::kNo, {}};
  return opened_by == firewall::eval::OpenedBy::kPeer
             ? untouched
             : firewall::eval::EitherOpener(evaluate(firewall::eval::OpenedBy::kLocal), untouched);
}

firewall::eval::NatEffect CloseEvaluator::TranslationOf(const Connection& connection, const ConnectionHistory* past) {
  if (past != nullptr && past->SeenTracked()) {
    return {firewall::eval::TristateOf(past->source_nat), firewall::eval::TristateOf(past->destination_nat), {}};
  }
  // The kernel is asked which end opened the connection, and where it leaves under which address, only where the nat
  // chains alone do not tell.
  firewall::eval::NatEffect effect = NatOf(connection, firewall::eval::OpenedBy::kUnknown);
  if (effect.Any() != Tristate::kUnknown || connection.journey != PathKind::kLocal || !connection.local ||
      !connection.peer) {
    return effect;
  }
  Connection known = connection;
  if (questions_.route) {
    if (const auto route = questions_.route(connection.local->address, connection.peer->address);
        route && !route->local) {
      known.egress = DeviceOf(*route);
      if (questions_.masquerade) {
        known.masquerade = questions_.masquerade(*route, connection.peer->address);
      }
    }
  }
  const firewall::eval::OpenedBy opened_by = questions_.opened_by
                                                 ? questions_.opened_by(*connection.local, *connection.peer)
                                                 : firewall::eval::OpenedBy::kUnknown;
  return NatOf(known, opened_by);
}

CloseOutcome CloseEvaluator::Evaluate(const kernel::TcpSocket& socket, const ConnectionHistory* past) {
  return Evaluate(Routed(socket), past);
}

CloseOutcome CloseEvaluator::Evaluate(const Connection& connection, const ConnectionHistory* past) {
  CloseOutcome judgement;
  judgement.fin = ForOne(connection, PacketKind::kFin);
  if (IsLost(judgement.fin.decision)) {
    judgement.fate = Fate::kFinDropped;
    return judgement;
  }
  judgement.ack = ForOne(connection, PacketKind::kAck);
  const firewall::eval::NatEffect nat = TranslationOf(connection, past);
  if (nat.Any() == Tristate::kYes) {
    judgement.fate = Fate::kNatLost;
    return judgement;
  }
  if (nat.Any() == Tristate::kUnknown) {
    judgement.fate = Fate::kUnknown;
    judgement.reason =
        "its conntrack entry was gone before the first look, and whether it was translated cannot be told: " +
        nat.reason;
    return judgement;
  }
  if (judgement.fin.decision == Disposition::kUnknown) {
    judgement.fate = Fate::kUnknown;
    judgement.reason = judgement.fin.reason;
  } else if (IsLost(judgement.ack.decision)) {
    judgement.fate = Fate::kAckDropped;
  } else if (judgement.ack.decision == Disposition::kUnknown) {
    judgement.fate = Fate::kUnknown;
    judgement.reason = judgement.ack.reason;
  } else {
    judgement.fate = Fate::kClean;
  }
  return judgement;
}

std::optional<Fate> CloseEvaluator::Remembered(const kernel::TcpSocket& socket, const ConnectionHistory* past) const {
  const bool translated = past != nullptr && past->Translated();
  const bool seen_tracked = past != nullptr && past->SeenTracked();
  const Judged* judged = judged_.Find(socket.cookie);
  if (judged != nullptr && judged->translated == translated && judged->seen_tracked == seen_tracked &&
      judged->held == socket.IsOpen()) {
    return judged->fate;
  }
  return std::nullopt;
}

Fate CloseEvaluator::FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* past) {
  if (const auto remembered = Remembered(socket, past)) {
    return *remembered;
  }
  const Fate fate = Evaluate(socket, past).fate;
  judged_.Set(socket.cookie,
              {past != nullptr && past->Translated(), past != nullptr && past->SeenTracked(), socket.IsOpen(), fate});
  return fate;
}

TraversalResult CloseEvaluator::TrackedFin(const kernel::TcpSocket& socket) {
  const Connection connection = Routed(socket);
  evaluator_.ResetBudget();
  return firewall::eval::EvaluateTrackedPacket(evaluator_, connection, PacketKind::kFin,
                                               SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
}

TraversalResult CloseEvaluator::General(IpFamily family, PathKind journey, PacketKind kind) {
  return EvaluatePath(firewall::eval::RepresentativeFlow(family, journey), kind);
}

void CloseEvaluator::Keep(const kernel::SocketTable& sockets) {
  if (judged_.Size() == 0) {
    return;
  }
  CookieTable<Judged> kept;
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    if (const Judged* judged = judged_.Find(sockets.Cookie(i))) {
      kept.Set(sockets.Cookie(i), *judged);
    }
  }
  judged_ = std::move(kept);
}

bool CloseEvaluator::ForgetUnusedRules(SteadyClock::time_point now) {
  if (evaluator_.UsesOfOnDemand() != uses_seen_) {
    uses_seen_ = evaluator_.UsesOfOnDemand();
    last_used_ = now;
  }
  return now - last_used_ >= kKeepUnused && ForgetRules();
}

bool CloseEvaluator::ForgetRules() {
  if (!evaluator_.HoldsOnDemand()) {
    return false;
  }
  // Verdicts name the rule that decides; one that is about to go must not be named any more.
  std::erase_if(for_all_, [this](const auto& one) {
    return one.second && one.second->chain != nullptr && evaluator_.IsOnDemand(one.second->chain);
  });
  evaluator_.ForgetOnDemand();
  return true;
}

}  // namespace finwait::diagnosis
