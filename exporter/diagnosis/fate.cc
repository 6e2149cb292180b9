#include "exporter/diagnosis/fate.h"

#include <algorithm>
#include <utility>

#include "exporter/diagnosis/drop_place.h"

namespace finwait {
namespace {

using firewall::Connection;
using firewall::Journey;
using firewall::PacketKind;
using firewall::PathDecision;
using firewall::PathVerdict;
using firewall::Truth;

// A connection between two sockets of this host: a packet that goes out comes in again.
bool IsLoopback(const LiveSocket& socket) {
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

CloseJudge::CloseJudge(std::shared_ptr<const firewall::Ruleset> ruleset, JudgeSettings settings,
                       KernelQuestions questions)
    : ruleset_(std::move(ruleset)),
      settings_(settings),
      questions_(std::move(questions)),
      evaluator_(*ruleset_, questions_.rules.get()) {}

firewall::NamespaceSettings CloseJudge::SettingsFor(IpFamily family, bool tcp_loose) const {
  firewall::NamespaceSettings settings;
  settings.tcp_loose = tcp_loose;
  settings.early_demultiplexing = settings_.early_demultiplexing;
  settings.routes_by_mark = settings_.routes_by_mark;
  settings.conntrack_active = settings_.conntrack_active[static_cast<std::size_t>(family)];
  return settings;
}

PathVerdict CloseJudge::JudgePath(const Connection& connection, PacketKind kind) {
  evaluator_.ResetBudget();
  PathVerdict verdict = firewall::JudgePacket(evaluator_, connection, kind,
                                              SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
  if (!settings_.tcp_loose) {
    evaluator_.ResetBudget();
    const PathVerdict other =
        firewall::JudgePacket(evaluator_, connection, kind, SettingsFor(connection.family, false));
    if (IsLost(other.decision) != IsLost(verdict.decision) || other.decision == PathDecision::kUnknown) {
      verdict = PathVerdict();
      verdict.reason = "nf_conntrack_tcp_loose could not be read";
    }
  }
  if (verdict.decision != PathDecision::kUnknown) {
    for (const firewall::Backend backend : firewall::kBackends) {
      if (!IsLost(verdict.decision) && firewall::IsBlind(*ruleset_, backend, connection.family)) {
        verdict.decision = PathDecision::kUnknown;
        verdict.reason = std::string(firewall::Name(backend)) + " rules could not be read";
      }
    }
  }
  return verdict;
}

const std::optional<PathVerdict>& CloseJudge::ForAll(IpFamily family, PacketKind kind) {
  const auto [found, is_new] = for_all_.try_emplace({family, kind});
  if (is_new) {
    // The FIN of a process that still holds its socket and of an orphan must fare alike for the answer to be one for
    // all.
    Connection orphaned = AnyConnection(family);
    Connection held = orphaned;
    held.local_socket.held = true;
    const PathVerdict verdict = JudgePath(orphaned, kind);
    if (verdict.decision != PathDecision::kUnknown && JudgePath(held, kind).decision == verdict.decision) {
      found->second = verdict;
    }
  }
  return found->second;
}

PathVerdict CloseJudge::ForOne(const Connection& connection, PacketKind kind) {
  if (connection.journey == Journey::kLocal) {
    if (const auto& for_all = ForAll(connection.family, kind)) {
      return *for_all;
    }
  }
  return JudgePath(connection, kind);
}

firewall::Interface CloseJudge::DeviceOf(const Route& route) {
  return {route.interface_name, route.interface_index, route.interface_type, route.interface_group,
          route.interface_kind};
}

Connection CloseJudge::ConnectionFor(const LiveSocket& socket, const std::optional<Route>& route) {
  Connection connection;
  connection.family = socket.local.address.Family();
  connection.journey = IsLoopback(socket) || (route && route->local) ? Journey::kLoopback : Journey::kLocal;
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

Connection CloseJudge::Routed(const LiveSocket& socket) {
  const IpFamily family = socket.local.address.Family();
  // Most rulesets decide without asking for a device; only then is routing asked. Where the FIN is lost, nobody asks
  // for its ACK, and a route costs less than to find out.
  const auto& fin = ForAll(family, PacketKind::kFin);
  const bool decided = fin && !IsLost(fin->decision) && ForAll(family, PacketKind::kAck);
  std::optional<Route> route;
  if (!decided && questions_.route && !IsLoopback(socket)) {
    route = questions_.route(socket.local.address, socket.peer.address);
  }
  return ConnectionFor(socket, route);
}

firewall::NatEffect CloseJudge::NatOf(const Connection& connection, firewall::OpenedBy opened_by) {
  const firewall::NamespaceSettings settings = SettingsFor(connection.family, true);
  const auto evaluate = [&](firewall::OpenedBy by) {
    return firewall::EvaluateNat(evaluator_, connection, by, settings);
  };
  const auto arrivals_left_alone = [&] {
    if (connection.journey != Journey::kLocal || !connection.local) {
      return false;
    }
    const auto [known, is_new] = arrivals_left_alone_.try_emplace(connection.local->address, false);
    if (is_new) {
      known->second = firewall::LeavesArrivalsAlone(evaluator_, connection.local->address, settings);
    }
    return known->second;
  };
  if (opened_by == firewall::OpenedBy::kLocal || !arrivals_left_alone()) {
    return evaluate(opened_by);
  }
  const firewall::NatEffect untouched{Truth::kNo, Truth::kNo, {}};
  return opened_by == firewall::OpenedBy::kPeer
             ? untouched
             : firewall::EitherOpener(evaluate(firewall::OpenedBy::kLocal), untouched);
}

firewall::NatEffect CloseJudge::TranslationOf(const Connection& connection, const ConnectionPast* past) {
  if (past != nullptr && past->SeenTracked()) {
    return {firewall::TruthOf(past->source_nat), firewall::TruthOf(past->destination_nat), {}};
  }
  // The kernel is asked which end opened the connection, and where it leaves under which address, only where the nat
  // chains alone do not tell.
  firewall::NatEffect effect = NatOf(connection, firewall::OpenedBy::kUnknown);
  if (effect.Any() != Truth::kUnknown || connection.journey != Journey::kLocal || !connection.local ||
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
  const firewall::OpenedBy opened_by =
      questions_.opened_by ? questions_.opened_by(*connection.local, *connection.peer) : firewall::OpenedBy::kUnknown;
  return NatOf(known, opened_by);
}

CloseJudgement CloseJudge::Judge(const LiveSocket& socket, const ConnectionPast* past) {
  return Judge(Routed(socket), past);
}

CloseJudgement CloseJudge::Judge(const Connection& connection, const ConnectionPast* past) {
  CloseJudgement judgement;
  judgement.fin = ForOne(connection, PacketKind::kFin);
  if (IsLost(judgement.fin.decision)) {
    judgement.fate = Fate::kFinDropped;
    return judgement;
  }
  judgement.ack = ForOne(connection, PacketKind::kAck);
  const firewall::NatEffect nat = TranslationOf(connection, past);
  if (nat.Any() == Truth::kYes) {
    judgement.fate = Fate::kNatLost;
    return judgement;
  }
  if (nat.Any() == Truth::kUnknown) {
    judgement.fate = Fate::kUnknown;
    judgement.reason =
        "its conntrack entry was gone before the first look, and whether it was translated cannot be told: " +
        nat.reason;
    return judgement;
  }
  if (judgement.fin.decision == PathDecision::kUnknown) {
    judgement.fate = Fate::kUnknown;
    judgement.reason = judgement.fin.reason;
  } else if (IsLost(judgement.ack.decision)) {
    judgement.fate = Fate::kAckDropped;
  } else if (judgement.ack.decision == PathDecision::kUnknown) {
    judgement.fate = Fate::kUnknown;
    judgement.reason = judgement.ack.reason;
  } else {
    judgement.fate = Fate::kClean;
  }
  return judgement;
}

std::optional<Fate> CloseJudge::Remembered(const LiveSocket& socket, const ConnectionPast* past) const {
  const bool translated = past != nullptr && past->Translated();
  const bool seen_tracked = past != nullptr && past->SeenTracked();
  const Judged* judged = judged_.Find(socket.cookie);
  if (judged != nullptr && judged->translated == translated && judged->seen_tracked == seen_tracked &&
      judged->held == socket.IsOpen()) {
    return judged->fate;
  }
  return std::nullopt;
}

Fate CloseJudge::FateOf(const LiveSocket& socket, const ConnectionPast* past) {
  if (const auto remembered = Remembered(socket, past)) {
    return *remembered;
  }
  const Fate fate = Judge(socket, past).fate;
  judged_.Set(socket.cookie,
              {past != nullptr && past->Translated(), past != nullptr && past->SeenTracked(), socket.IsOpen(), fate});
  return fate;
}

PathVerdict CloseJudge::TrackedFin(const LiveSocket& socket) {
  const Connection connection = Routed(socket);
  evaluator_.ResetBudget();
  return firewall::JudgeTrackedPacket(evaluator_, connection, PacketKind::kFin,
                                      SettingsFor(connection.family, settings_.tcp_loose.value_or(true)));
}

PathVerdict CloseJudge::General(IpFamily family, Journey journey, PacketKind kind) {
  return JudgePath(firewall::GeneralConnection(family, journey), kind);
}

void CloseJudge::Keep(const LiveSocketList& sockets) {
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

bool CloseJudge::ForgetUnusedRules(SteadyClock::time_point now) {
  if (evaluator_.UsesOfOnDemand() != uses_seen_) {
    uses_seen_ = evaluator_.UsesOfOnDemand();
    last_used_ = now;
  }
  return now - last_used_ >= kKeepUnused && ForgetRules();
}

bool CloseJudge::ForgetRules() {
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

}  // namespace finwait
