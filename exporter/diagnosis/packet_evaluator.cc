#include "exporter/diagnosis/packet_evaluator.h"

#include <algorithm>
#include <utility>

#include "collectors/firewall/eval/reset_answer.h"
#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::NatEffect;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PacketTracking;
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

// Whether what holds for all connections leaves nothing open for one: not the rule either, where it is one of several.
bool Settles(const std::optional<TraversalResult>& for_all) {
  return for_all && (!IsLost(for_all->disposition) || for_all->location);
}

Tristate TristateOf(const std::optional<bool>& known) {
  return known ? firewall::eval::TristateOf(*known) : Tristate::kUnknown;
}

}  // namespace

void TakeSettings(const sources::SysctlSample* sysctl, const sources::ConntrackStatsSample* stats,
                  const sources::ConntrackTableSample* table, EvaluationSettings& settings) {
  if (sysctl != nullptr) {
    settings.tcp_loose = sysctl->conntrack_tcp_loose ? std::optional(*sysctl->conntrack_tcp_loose != 0) : std::nullopt;
    settings.ingress_devices = sysctl->ingress_devices;
  }
  const bool full =
      stats != nullptr && stats->entries && stats->entries_limit && *stats->entries >= *stats->entries_limit;
  settings.table_full = !full                                       ? std::optional(false)
                        : table != nullptr && table->evictable == 0 ? std::optional(true)
                                                                    : std::nullopt;
}

PacketEvaluator::PacketEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                                 std::shared_ptr<firewall::facts::FactStore> facts)
    : ruleset_(std::move(ruleset)),
      settings_(std::move(settings)),
      store_(facts != nullptr ? std::move(facts) : std::make_shared<firewall::facts::FactStore>()),
      facts_(*store_),
      evaluator_(*ruleset_, &facts_),
      translation_(evaluator_, facts_) {}

firewall::eval::PacketPathSettings PacketEvaluator::SettingsFor(IpFamily family, bool tcp_loose) {
  firewall::eval::PacketPathSettings settings;
  settings.tcp_loose = tcp_loose;
  settings.conntrack_active = settings_.conntrack_active[family];
  if (const auto* facts = facts_.FindValue<NamespaceFacts>(NamespaceKey{family})) {
    settings.early_demultiplexing = TristateOf(facts->early_demultiplexing);
    settings.routes_by_mark = TristateOf(facts->routes_by_mark);
    settings.routes_by_type_of_service = TristateOf(facts->routes_by_type_of_service);
    settings.routes_by_ports = TristateOf(facts->routes_by_ports);
    settings.routes_everything = TristateOf(facts->routes_everything);
    settings.forwards = TristateOf(facts->forwards);
    settings.bridge_calls_rules = TristateOf(facts->bridge_calls_rules);
    settings.programs = by_rules_alone_ ? nullptr : &facts->programs;
  }
  return settings;
}

TraversalResult PacketEvaluator::EvaluatePath(const Connection& connection, PacketKind kind) {
  return OnWhicheverDevice(connection, kind, EvaluateOnRoutedDevice(connection, kind));
}

TraversalResult PacketEvaluator::OnWhicheverDevice(const Connection& connection, PacketKind kind,
                                                   TraversalResult result) {
  if (firewall::eval::IsOutgoing(kind) || result.disposition == Disposition::kUnknown ||
      connection.path_kind != PathKind::kLocal) {
    return result;
  }
  for (const firewall::eval::Interface& other : OtherDevices(connection)) {
    Connection there = connection;
    there.ingress = other;
    // What conntrack knows would not come in there either: then the connection never came that way.
    if (IsLost(EvaluateTrackedPath(there, PacketKind::kAck).disposition)) {
      continue;
    }
    const TraversalResult on_other = EvaluateOnRoutedDevice(there, kind);
    if (on_other.disposition == Disposition::kUnknown || IsLost(on_other.disposition) != IsLost(result.disposition)) {
      TraversalResult unknown = on_other;
      unknown.disposition = Disposition::kUnknown;
      unknown.reason = "the device that the peer's packets come in on, which need not be the one that routing picks (" +
                       (other.name ? *other.name : std::string("one of many")) +
                       " leads to a network, too, and no reverse path filter forbids it)";
      return unknown;
    }
  }
  return result;
}

std::vector<firewall::eval::Interface> PacketEvaluator::OtherDevices(const Connection& connection) const {
  std::vector<firewall::eval::Interface> others;
  const bool bound = connection.routing && connection.routing->bound_device != 0;
  const bool forwarded = connection.path_kind == PathKind::kForwarded;
  const bool told = forwarded ? connection.passage.bridged : connection.ingress.has_value();
  if (connection.path_kind == PathKind::kLoopback || connection.general || bound || told || !connection.egress.index) {
    return others;
  }
  const std::uint32_t of_local_end = forwarded && connection.ingress ? connection.ingress->index.value_or(0) : 0;
  for (const kernel::IngressDevice& device : settings_.ingress_devices[connection.family]) {
    if (device.index != *connection.egress.index && device.index != of_local_end) {
      others.emplace_back();
      others.back().name = device.name;
      others.back().index = device.index;
    }
  }
  constexpr std::size_t kMostDevices = 8;
  if (others.size() > kMostDevices) {
    others.assign(1, firewall::eval::Interface());  // any device
  }
  return others;
}

TraversalResult PacketEvaluator::EvaluateTrackedFromPeer(const Connection& connection, PacketKind kind) {
  TraversalResult result = EvaluateTrackedPath(connection, kind);
  if (firewall::eval::IsOutgoing(kind) || !IsLost(result.disposition)) {
    return result;
  }
  const Connection met = WithEntry(connection, kind);
  for (const firewall::eval::Interface& other : OtherDevices(met)) {
    Connection there = met;
    if (met.path_kind == PathKind::kForwarded) {
      there.egress = other;
    } else {
      there.ingress = other;
    }
    if (!IsLost(EvaluateTrackedPath(there, kind).disposition)) {
      result.disposition = Disposition::kUnknown;
      result.reason = "the device that the peer's packets come in on, which need not be the one that routing picks";
      return result;
    }
  }
  return result;
}

TraversalResult PacketEvaluator::UnlessTableIsFull(TraversalResult result, IpFamily family) const {
  const bool active = settings_.conntrack_active[family];
  if (settings_.table_full == std::optional(false) || !active || IsLost(result.disposition) ||
      result.state == firewall::eval::PacketTracking::kUntracked) {
    return result;
  }
  TraversalResult full;
  full.disposition = settings_.table_full ? Disposition::kDrop : Disposition::kUnknown;
  full.state = result.state;
  full.reason = settings_.table_full
                    ? "the conntrack table is full of entries that it may not evict: conntrack drops what has none"
                    : "whether conntrack finds an entry to evict, as its table is full";
  return full;
}

TraversalResult PacketEvaluator::EvaluateOnRoutedDevice(const Connection& connection, PacketKind kind) {
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::PacketPathSettings& settings) {
    return firewall::eval::EvaluatePacket(evaluator_, connection, kind, settings);
  });
}

TraversalResult PacketEvaluator::EvaluateWithSettings(IpFamily family, const Evaluation& evaluate) {
  evaluator_.ResetBudget();
  TraversalResult result = evaluate(SettingsFor(family, settings_.tcp_loose.value_or(true)));
  if (!settings_.tcp_loose) {
    evaluator_.ResetBudget();
    const TraversalResult other = evaluate(SettingsFor(family, false));
    if (IsLost(other.disposition) != IsLost(result.disposition) || other.disposition == Disposition::kUnknown) {
      result = TraversalResult();
      result.reason = "nf_conntrack_tcp_loose could not be read";
    }
  }
  return UnlessTableIsFull(UnlessUnavailable(std::move(result), family), family);
}

TraversalResult PacketEvaluator::EvaluateTrackedPath(const Connection& connection, PacketKind kind) {
  evaluator_.ResetBudget();
  firewall::eval::PacketPathSettings settings = SettingsFor(connection.family, settings_.tcp_loose.value_or(true));
  settings.programs = nullptr;  // its data has come past them
  return UnlessUnavailable(
      firewall::eval::EvaluateTrackedPacket(evaluator_, WithEntry(connection, kind), kind, settings),
      connection.family);
}

TraversalResult PacketEvaluator::TrackedLastAck(const Connection& connection) {
  evaluator_.ResetBudget();
  firewall::eval::PacketPathSettings settings = SettingsFor(connection.family, settings_.tcp_loose.value_or(true));
  settings.programs = nullptr;
  return UnlessUnavailable(
      firewall::eval::EvaluateTrackedLastAck(evaluator_, WithEntry(connection, PacketKind::kData), settings),
      connection.family);
}

TraversalResult PacketEvaluator::UnlessUnavailable(TraversalResult result, IpFamily family) const {
  if (result.disposition != Disposition::kUnknown) {
    for (const firewall::Backend backend : firewall::kBackends) {
      if (!IsLost(result.disposition) && firewall::IsUnavailable(*ruleset_, backend, family)) {
        result.disposition = Disposition::kUnknown;
        result.reason = std::string(firewall::Name(backend)) + " rules could not be read";
      }
    }
  }
  return result;
}

// A VRF has a turn of its own at what its ports send.
bool PacketEvaluator::MayFareAsAll(const Connection& connection) {
  return connection.path_kind == PathKind::kLocal && connection.within == nullptr && !connection.unroutable &&
         !connection.egress.vrf && !connection.address_gone &&
         !HangsOnGroups(connection.family, connection.local_socket.control_group);
}

// What holds for all that this end may send holds for an ACK without data, too.
TraversalResult PacketEvaluator::LastAck(const Connection& connection) {
  if (MayFareAsAll(connection)) {
    if (const auto& for_all = ForAll(connection.family, PacketKind::kData); Settles(for_all)) {
      return *for_all;
    }
  }
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::PacketPathSettings& settings) {
    return firewall::eval::EvaluateLastAck(evaluator_, connection, settings);
  });
}

TraversalResult PacketEvaluator::Evaluate(const Connection& connection, const Question& question) {
  if (question.later) {
    return EvaluateLaterFinPath(connection);
  }
  if (!question.tracked) {
    return EvaluatePath(connection, question.kind);
  }
  return question.kind == PacketKind::kData ? TrackedLastAck(connection)
                                            : EvaluateTrackedPath(connection, question.kind);
}

const std::optional<TraversalResult>& PacketEvaluator::ForAll(const Question& question) {
  const auto [found, is_new] = for_all_.try_emplace(question);
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
  Connection orphaned = AnyConnection(question.family);
  orphaned.path_kind = question.path_kind;
  orphaned.translated = question.translated ? Tristate::kUnknown : Tristate::kNo;
  Connection held = orphaned;
  held.local_socket.held = true;
  known.result.reset();
  TraversalResult result = Evaluate(orphaned, question);
  if (result.disposition != Disposition::kUnknown && Evaluate(held, question).disposition == result.disposition) {
    known.result = std::move(result);
  }
  known.hung_on = facts_.TakeHungOn();
  known.facts_as_of = store_->Now();
  known.complete = facts_.Missed() == missed;
  known.puts = store_->Puts();
  facts_.NoteHungOn(static_cast<firewall::facts::FactKinds>(before | known.hung_on));
  return known.result;
}

TraversalResult PacketEvaluator::EvaluateOne(const Connection& connection, PacketKind kind) {
  if (MayFareAsAll(connection)) {
    if (const auto& for_all = ForAll(connection.family, kind); Settles(for_all)) {
      return *for_all;
    }
  }
  return EvaluatePath(connection, kind);
}

// Most rulesets decide without asking for a device or a mark; only otherwise are these asked for.
bool PacketEvaluator::AllFareAlike(IpFamily family, std::optional<std::uint64_t> control_group, bool peer_has_closed) {
  const auto& fin = ForAll(family, PacketKind::kFin);
  return fin && !IsLost(fin->disposition) && !HangsOnGroups(family, control_group) &&
         Settles(ForAll(family, PacketKind::kAck)) &&
         (peer_has_closed || (Settles(ForAll(family, PacketKind::kPeerFin)) && Settles(ForAllLaterFins(family)) &&
                              Settles(ForAll(family, PacketKind::kData))));
}

std::span<const firewall::facts::ForeignProgram> PacketEvaluator::ProgramsOf(IpFamily family) {
  const auto* settings = by_rules_alone_ ? nullptr : facts_.FindValue<NamespaceFacts>(NamespaceKey{family});
  return settings != nullptr ? std::span(settings->programs) : std::span<const firewall::facts::ForeignProgram>();
}

// What is chosen by a mark comes from elsewhere, or goes to an address of this host's own.
std::string PacketEvaluator::CarriedByIpvs(const Connection& connection) {
  if (connection.general || connection.within != nullptr || !connection.local || !connection.peer) {
    return "";
  }
  // Not asked for on purpose: whatever evaluates a packet does, and until it is known the outcome is incomplete.
  const firewall::facts::Fact* known = store_->Find(NamespaceKey{connection.family});
  const auto* settings = known != nullptr ? known->As<NamespaceFacts>() : nullptr;
  if (settings == nullptr) {
    return "";
  }
  const firewall::facts::VirtualServices& services = settings->virtual_services;
  if (const std::string end = services.Of(*connection.local, *connection.peer); !end.empty()) {
    return "IPVS (ip_vs), which carries what goes to and comes from " + end + " by a table of its own";
  }
  return services.others && connection.path_kind != PathKind::kLocal
             ? "IPVS (ip_vs), of which not every service could be told: it has some that a mark chooses, or too many"
             : "";
}

bool PacketEvaluator::HangsOnGroups(IpFamily family, std::optional<std::uint64_t> control_group) {
  return std::ranges::any_of(ProgramsOf(family), [&](const firewall::facts::ForeignProgram& program) {
    return program.control_group > firewall::facts::ForeignProgram::kRoot &&
           (!control_group || program.control_group == *control_group);
  });
}

bool PacketEvaluator::FareAlikeOverLoopback(IpFamily family, bool peer_has_closed) {
  const auto alike = [&](PacketKind kind) {
    const std::optional<TraversalResult> leaving = ForAll(family, kind);
    const auto& looping = ForAll({family, PathKind::kLoopback, kind, false, by_rules_alone_});
    return leaving && looping && leaving->disposition == looping->disposition &&
           (!IsLost(leaving->disposition) || leaving->location == looping->location);
  };
  return alike(PacketKind::kFin) && alike(PacketKind::kAck) &&
         (peer_has_closed || (alike(PacketKind::kPeerFin) && alike(PacketKind::kData)));
}

NatEffect PacketEvaluator::TranslationOf(const Connection& connection, const ConnectionHistory* history,
                                         const ListedSocket* socket) {
  if (const auto seen = TranslationHistory::Seen(history)) {
    return *seen;
  }
  const firewall::eval::PacketPathSettings settings = SettingsFor(connection.family, true);
  if (connection.within != nullptr) {
    return firewall::eval::EvaluateNat(evaluator_, connection, connection.opened_by, settings);
  }
  if (connection.path_kind == PathKind::kForwarded) {
    return translation_.ByRules(connection, connection.opened_by, settings);
  }
  // Which end opened the connection, and where it leaves under which address, is asked for only where the nat chains
  // alone do not tell.
  NatEffect effect = translation_.ByRules(connection, OpenedBy::kUnknown, settings);
  if (effect.Any() != Tristate::kUnknown) {
    return effect;
  }
  if (connection.path_kind != PathKind::kLocal) {
    return connection.opened_by != OpenedBy::kUnknown ? translation_.ByRules(connection, connection.opened_by, settings)
                                                      : effect;
  }
  const Connection known = socket != nullptr ? ConnectionOf(*socket, facts_) : connection;
  return translation_.ByRules(known, known.opened_by, settings);
}

TraversalResult PacketEvaluator::EvaluatePeersLaterFin(const Connection& connection) {
  if (MayFareAsAll(connection)) {
    if (const auto& for_all = ForAllLaterFins(connection.family); Settles(for_all)) {
      return *for_all;
    }
  }
  return EvaluateLaterFinPath(connection);
}

TraversalResult PacketEvaluator::EvaluateLaterFinPath(const Connection& connection) {
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::PacketPathSettings& settings) {
    const auto later = firewall::eval::EvaluatePeersLaterFin(evaluator_, connection, settings);
    return later ? *later : firewall::eval::EvaluatePacket(evaluator_, connection, PacketKind::kPeerFin, settings);
  });
}

TraversalResult PacketEvaluator::EvaluatePeersReset(const Connection& connection) {
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::PacketPathSettings& settings) {
    return firewall::eval::EvaluatePeerReset(evaluator_, connection, settings);
  });
}

std::optional<TraversalResult> PacketEvaluator::ResetOfPeer(const Connection& connection, PacketKind kind,
                                                            const TraversalResult& ack) {
  if (ack.disposition != Disposition::kReject || !ack.location) {
    return std::nullopt;
  }
  const firewall::eval::RulePlace place = evaluator_.FindRule(*ack.location);
  if (place.rule == nullptr || !firewall::eval::AnswersWithReset(*place.rule, connection.family)) {
    return std::nullopt;
  }
  return EvaluateWithSettings(connection.family, [&](const firewall::eval::PacketPathSettings& settings) {
    return firewall::eval::EvaluateResetAnswer(evaluator_, connection, kind,
                                               ack.state.value_or(PacketTracking::kNoEntry), settings);
  });
}

bool PacketEvaluator::AllTrackedAreClean(IpFamily family, PathKind path_kind, bool peer_has_closed, bool translated) {
  const auto passes = [&](PacketKind kind) {
    const auto& result = ForAll({family, path_kind, kind, true, false, false, translated});
    return result && result->disposition == Disposition::kAccept;
  };
  return passes(PacketKind::kFin) && passes(PacketKind::kAck) &&
         (peer_has_closed || (passes(PacketKind::kPeerFin) && passes(PacketKind::kData)));
}

TraversalResult PacketEvaluator::General(IpFamily family, PathKind path, PacketKind kind) {
  return EvaluatePath(firewall::eval::RepresentativeFlow(family, path), kind);
}

TraversalResult PacketEvaluator::RepresentativeTracked(IpFamily family, PacketKind kind) {
  return EvaluateTrackedPath(firewall::eval::RepresentativeFlow(family), kind);
}

}  // namespace finwait::diagnosis
