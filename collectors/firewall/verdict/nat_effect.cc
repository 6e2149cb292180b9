#include "collectors/firewall/verdict/nat_effect.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "collectors/firewall/verdict/condition.h"

namespace finwait::firewall {
namespace {

// Whether a packet that arrives with this destination can belong to the local end.
bool CanReach(const Packet& packet, const std::optional<Endpoint>& local) {
  if (!local) {
    return true;
  }
  const std::byte port[] = {std::byte(local->port >> 8), std::byte(local->port & 0xff)};
  Packet scratch = packet;
  Packet missed;
  std::string because;
  return Decide(Condition::Equal(packet.DestinationAddress(), local->address.Bytes(), packet.family), scratch, &missed,
                &because) != Decision::kNo &&
         Decide(Condition::Equal(packet.DestinationPort(), port, packet.family), scratch, &missed, &because) !=
             Decision::kNo;
}

// Whatever the rules drop now, they let pass what opened the connection: drops are ignored.
NatEffect OpenedFrom(Evaluator& evaluator, Connection connection, bool by_peer, const NamespaceSettings& settings) {
  const std::optional<Endpoint> local = connection.local;
  const bool arrives = by_peer && connection.journey == Journey::kLocal;
  if (arrives) {
    connection.local.reset();  // what the peer wrote there is only known where nothing was translated
  }
  const PacketKind kind = by_peer ? PacketKind::kPeerSyn : PacketKind::kSyn;
  Packet packet = MakePacket(connection, kind);
  if (arrives) {
    packet.destination_kind = AddressKind::kUnknown;
  }
  NatEffect effect;
  bool first = true;
  const auto merge = [&](Truth& into, Truth value) { into = first || into == value ? value : Truth::kUnknown; };
  for (const JourneyEnd& end :
       WalkHooks(evaluator, connection, kind, std::move(packet), PacketTracking::kNew, settings, Drops::kAreIgnored)) {
    const Packet& opened = end.ending.packet;
    if (end.ending.kind == Ending::Kind::kUnknown) {
      return {Truth::kUnknown, Truth::kUnknown, end.ending.because};
    }
    if (end.ending.kind != Ending::Kind::kAccept || (arrives && !CanReach(opened, local))) {
      continue;  // it would never have become this connection
    }
    if (opened.doubt && effect.reason.empty()) {
      effect.reason = opened.doubt->because;
    }
    merge(effect.source, opened.source_translated);
    merge(effect.destination, opened.destination_translated);
    first = false;
  }
  if (first) {
    effect.reason = "the nat rules as they are now would not have led to this connection";
    return effect;
  }
  if (effect.Any() != Truth::kUnknown) {
    effect.reason.clear();
  } else if (effect.reason.empty()) {
    effect.reason = "to which address or port a nat rule translated it";
  }
  return effect;
}

bool MayTranslate(const Ruleset& ruleset, IpFamily family) {
  if (std::any_of(std::begin(kBackends), std::end(kBackends),
                  [&](Backend backend) { return IsBlind(ruleset, backend, family); })) {
    return true;
  }
  return std::any_of(ruleset.tables.begin(), ruleset.tables.end(), [&](const Table& table) {
    return !table.dormant && Covers(table.family, family) &&
           std::any_of(table.chains.begin(), table.chains.end(),
                       [](const auto& one) { return one.second->base && one.second->base->type == ChainType::kNat; });
  });
}

Truth Either(Truth a, Truth b) { return a == b ? a : Truth::kUnknown; }

}  // namespace

NatEffect EvaluateNat(Evaluator& evaluator, const Connection& connection, OpenedBy opened_by,
                      const NamespaceSettings& settings) {
  if (!MayTranslate(evaluator.GetRuleset(), connection.family)) {
    return {Truth::kNo, Truth::kNo, {}};  // whoever opened it, and whether or not the rules would still let them
  }
  if (opened_by != OpenedBy::kUnknown) {
    return OpenedFrom(evaluator, connection, opened_by == OpenedBy::kPeer, settings);
  }
  const NatEffect ours = OpenedFrom(evaluator, connection, false, settings);
  const NatEffect theirs = OpenedFrom(evaluator, connection, true, settings);
  NatEffect effect{Either(ours.source, theirs.source), Either(ours.destination, theirs.destination), ours.reason};
  if (effect.Any() == Truth::kUnknown && effect.reason.empty()) {
    effect.reason = theirs.reason.empty() ? "which end opened the connection" : theirs.reason;
  }
  return effect;
}

}  // namespace finwait::firewall
