#include "collectors/firewall/eval/nat_effect.h"

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/eval/expression_traits.h"
#include "collectors/firewall/packet/condition.h"

namespace finwait::firewall::eval {
namespace {

bool CanBe(AbstractBytes bytes, std::span<const std::byte> value, const Packet& packet) {
  Packet scratch = packet;
  Packet missed;
  std::string because;
  return Decide(Condition::Equal(bytes, value, packet.family), scratch, &missed, &because) != Decision::kNo;
}

bool CanReach(const Packet& packet, const IpAddress& address) {
  return CanBe(packet.DestinationAddress(), address.Bytes(), packet);
}

// Whether a packet that arrives with this destination can belong to the local end.
bool CanReach(const Packet& packet, const std::optional<Endpoint>& local) {
  if (!local) {
    return true;
  }
  const std::byte port[] = {std::byte(local->port >> 8), std::byte(local->port & 0xff)};
  return CanReach(packet, local->address) && CanBe(packet.DestinationPort(), port, packet);
}

Packet PeerSyn(const Connection& connection) {
  Packet packet = MakePacket(connection, PacketKind::kPeerSyn);
  packet.destination_kind = AddressKind::kUnknown;
  return packet;
}

// Whatever the rules drop now, they let pass what opened the connection: drops are ignored.
NatEffect OpenedFrom(ChainEvaluator& evaluator, Connection connection, bool by_peer,
                     const PacketPathSettings& settings) {
  const std::optional<Endpoint> local = connection.local;
  const std::shared_ptr<const packet::ConnectionClass> within = connection.within;
  const bool arrives = by_peer && connection.path_kind != PathKind::kLoopback;
  if (arrives) {
    connection.local.reset();  // what the peer wrote there is only known where nothing was translated
    if (within != nullptr) {
      connection.within = std::make_shared<const packet::ConnectionClass>(within->WithAnyLocalEnd());
    }
  }
  const PacketKind kind = by_peer ? PacketKind::kPeerSyn : PacketKind::kSyn;
  Packet packet = arrives ? PeerSyn(connection) : MakePacket(connection, kind);
  const auto can_reach = [&](const Packet& arriving) {
    return CanReach(arriving, local) && (within == nullptr || within->MayArrive(arriving));
  };
  // Of thousands of services few lead here, and only these need be followed.
  const IsMisrouted elsewhere = [&](const Packet& translated) { return !can_reach(translated); };
  NatEffect effect;
  bool first = true;
  const auto merge = [&](Tristate& into, Tristate value) {
    into = first || into == value ? value : Tristate::kUnknown;
  };
  for (const TraversalEnd& end :
       TraverseHooks(evaluator, connection, kind, std::move(packet), PacketTracking::kNew, settings,
                     DropsOnTheWay::kAreIgnored, arrives ? elsewhere : IsMisrouted())) {
    const Packet& opened = end.result.packet;
    if (end.result.kind == ChainResult::Kind::kUnknown) {
      return {Tristate::kUnknown, Tristate::kUnknown, end.result.because};
    }
    if (end.result.kind != ChainResult::Kind::kAccept || (arrives && !can_reach(opened))) {
      continue;  // it would never have become this connection
    }
    if (opened.uncertainty && effect.reason.empty()) {
      effect.reason = opened.uncertainty->because;
    }
    merge(effect.source, opened.source_translated);
    merge(effect.destination, opened.destination_translated);
    first = false;
  }
  if (first) {
    effect.reason = "the nat rules as they are now would not have led to this connection";
    return effect;
  }
  if (effect.Any() != Tristate::kUnknown) {
    effect.reason.clear();
  } else if (effect.reason.empty()) {
    effect.reason = "to which address or port a nat rule translated it";
  }
  return effect;
}

bool AdjustsSequence(const Chain& chain) {
  return std::any_of(chain.rules.begin(), chain.rules.end(), [](const Rule& rule) {
    return std::any_of(rule.expressions.begin(), rule.expressions.end(),
                       [](const Expression& step) { return TraitsOf(step).adjusts_sequence; });
  });
}

bool MayTranslate(const Ruleset& ruleset, IpFamily family) {
  if (std::any_of(std::begin(kBackends), std::end(kBackends),
                  [&](Backend backend) { return IsUnavailable(ruleset, backend, family); })) {
    return true;
  }
  return std::any_of(ruleset.tables.begin(), ruleset.tables.end(), [&](const Table& table) {
    return !table.dormant && Covers(table.family, family) &&
           std::any_of(table.chains.begin(), table.chains.end(), [](const auto& one) {
             return (one.second->base && one.second->base->type == ChainType::kNat) || AdjustsSequence(*one.second);
           });
  });
}

// Whether a rule of the nat chains that arriving packets meet may translate a destination to `local`. Each rule is run
// once, for a packet of which nothing is known: what no rule does to that one, none does to any. Goes on past chains
// that have not been read, so that all that are missing are asked for together.
bool LeadsFromElsewhere(ChainEvaluator& evaluator, Packet anything, const IpAddress& local) {
  anything.tracking = PacketTracking::kNew;
  anything.mark = AbstractNumber<4>::Unknown();
  anything.connection_mark = AbstractNumber<4>::Unknown();
  HookContext context;
  context.hook = Hook::kPrerouting;
  context.in = DeviceView::Input(Interface());
  context.has_link_header = true;
  std::vector<std::pair<const Table*, const Chain*>> waiting;
  std::set<const Chain*> met;
  bool unread = false;
  const auto enter = [&](const Table& table, const std::string& name) {
    const Chain* chain = evaluator.GetChain(table, name);
    if (chain == nullptr || chain->contents != Contents::kComplete) {
      unread = true;
    } else if (met.insert(chain).second) {
      waiting.emplace_back(&table, chain);
    }
  };
  for (const Table& table : evaluator.GetRuleset().tables) {
    for (const auto& [name, chain] : table.chains) {
      const bool runs = !table.dormant && Covers(table.family, anything.family) && chain->base &&
                        chain->base->type == ChainType::kNat && chain->base->hook == Hook::kPrerouting;
      if (runs) {
        enter(table, name);
      }
    }
  }
  std::vector<RuleResult> outcomes;
  while (!waiting.empty()) {
    const auto [table, chain] = waiting.back();
    waiting.pop_back();
    for (const Rule& rule : chain->rules) {
      outcomes.clear();
      RuleMachine(*table, *chain, rule, context, evaluator).Run(anything, outcomes);
      for (const RuleResult& outcome : outcomes) {
        if (outcome.kind == RuleResult::Kind::kJump || outcome.kind == RuleResult::Kind::kGoto) {
          enter(*table, std::string(outcome.chain));
        }
        if (outcome.kind == RuleResult::Kind::kUnknown ||
            (outcome.packet.destination_translated != Tristate::kNo && CanReach(outcome.packet, local))) {
          return true;
        }
      }
    }
  }
  return unread;
}

Tristate Either(Tristate a, Tristate b) { return a == b ? a : Tristate::kUnknown; }

}  // namespace

NatEffect EvaluateNat(ChainEvaluator& evaluator, const Connection& connection, OpenedBy opened_by,
                      const PacketPathSettings& settings) {
  if (!MayTranslate(evaluator.GetRuleset(), connection.family)) {
    return {Tristate::kNo, Tristate::kNo, {}};  // whoever opened it, and whether or not the rules would still let them
  }
  if (opened_by != OpenedBy::kUnknown) {
    return OpenedFrom(evaluator, connection, opened_by == OpenedBy::kPeer, settings);
  }
  return EitherOpener(OpenedFrom(evaluator, connection, false, settings),
                      OpenedFrom(evaluator, connection, true, settings));
}

NatEffect EitherOpener(const NatEffect& ours, const NatEffect& theirs) {
  NatEffect effect{Either(ours.source, theirs.source), Either(ours.destination, theirs.destination), ours.reason};
  if (effect.Any() == Tristate::kUnknown && effect.reason.empty()) {
    effect.reason = theirs.reason.empty() ? "which end opened the connection" : theirs.reason;
  }
  return effect;
}

bool LeavesArrivalsAlone(ChainEvaluator& evaluator, const IpAddress& local, const PacketPathSettings& settings) {
  Connection connection;
  connection.family = local.Family();
  if (!MayTranslate(evaluator.GetRuleset(), connection.family)) {
    return true;
  }
  Packet packet = PeerSyn(connection);
  if (LeadsFromElsewhere(evaluator, packet, local)) {
    return false;
  }
  // So it was sent to this address, and must arrive as it was.
  const std::size_t destination = packet.family == IpFamily::kIpv4 ? 16 : 24;
  const auto bytes = local.Bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    packet.network[destination + i] = AbstractByte::Known(bytes[i]);
  }
  const std::vector<TraversalEnd> ends = TraverseHooks(evaluator, connection, PacketKind::kPeerSyn, std::move(packet),
                                                       PacketTracking::kNew, settings, DropsOnTheWay::kAreIgnored);
  return std::all_of(ends.begin(), ends.end(), [](const TraversalEnd& end) {
    const Packet& opened = end.result.packet;
    return end.result.kind != ChainResult::Kind::kUnknown &&
           Or(opened.source_translated, opened.destination_translated) == Tristate::kNo;
  });
}

}  // namespace finwait::firewall::eval
