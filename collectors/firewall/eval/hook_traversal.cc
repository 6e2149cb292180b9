#include "collectors/firewall/eval/hook_traversal.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "collectors/firewall/eval/hook_order.h"
#include "collectors/firewall/eval/hook_stages.h"
#include "collectors/firewall/eval/packet_routing.h"
#include "collectors/firewall/eval/stage_context.h"

namespace finwait::firewall::eval {
namespace {

// Orders of chains of one priority are all tried up to this many chains (24 orders).
constexpr std::size_t kReorderedChains = 4;

// Whether a chain of hook ingress or egress is bound to the device.
Tristate BoundTo(const BaseChain& base, const Interface& device, bool general) {
  if (!device.name) {
    return general || base.devices.empty() ? Tristate::kNo : Tristate::kUnknown;
  }
  return TristateOf(std::any_of(base.devices.begin(), base.devices.end(), [&](const Device& each) {
    return each.prefix ? device.name->compare(0, each.name.size(), each.name) == 0 : *device.name == each.name;
  }));
}

bool HasNatChain(const Ruleset& ruleset, IpFamily family) {
  for (const Table& table : ruleset.tables) {
    if (table.dormant || !Covers(table.family, family)) {
      continue;
    }
    if (std::any_of(table.chains.begin(), table.chains.end(),
                    [](const auto& each) { return each.second->base && each.second->base->type == ChainType::kNat; })) {
      return true;
    }
  }
  return false;
}

class Walk {
 public:
  Walk(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind, PacketTracking looked_up,
       const NamespaceSettings& settings, Drops drops, const IsMisrouted& astray)
      : evaluator_(evaluator),
        connection_(connection),
        kind_(kind),
        looked_up_(looked_up),
        settings_(settings),
        drops_(drops),
        astray_(astray) {}

  std::vector<TraversalEnd> Run(Packet packet) {
    std::vector<InFlightPacket> travellers;
    travellers.push_back({std::move(packet), {}});
    if (connection_.journey == PathKind::kForwarded) {
      PassThrough(std::move(travellers));
      return std::move(ends_);
    }
    travellers = PassAll(stages_.OfThisHost(), std::move(travellers));
    std::vector<InFlightPacket> coming_back;
    for (InFlightPacket& traveller : travellers) {
      // Its new destination may be this host itself: then it has left through loopback, and comes in again.
      const Tristate comes_back = ComesBack(traveller.packet);
      if (comes_back == Tristate::kUnknown) {
        AddUncertainty(traveller.packet, HookEntry(), Hook::kOutput, "where address translation leads");
      }
      if (comes_back != Tristate::kNo) {
        coming_back.push_back(traveller);
      }
      if (comes_back != Tristate::kYes) {
        Arrive(std::move(traveller));
      }
    }
    for (InFlightPacket& traveller : PassAll(stages_.InThroughLoopback(), std::move(coming_back))) {
      Arrive(std::move(traveller));
    }
    return std::move(ends_);
  }

 private:
  // A packet under way, and the chain that let it pass last.
  struct InFlightPacket {
    Packet packet;
    TraversalEnd last;
  };

  // Through this host: where each packet goes on to is decided by what prerouting has made of it.
  void PassThrough(std::vector<InFlightPacket> travellers) {
    const ForwardedWay way = stages_.Through();
    std::vector<InFlightPacket> onward;
    std::vector<InFlightPacket> received;
    for (InFlightPacket& traveller : PassAll(way.arrival, std::move(travellers))) {
      switch (routing_.RouteArrival(*way.in, traveller.packet)) {
        case PacketRouting::Destination::kElsewhere:
          onward.push_back(std::move(traveller));
          break;
        case PacketRouting::Destination::kThisHost:
          received.push_back(std::move(traveller));
          break;
        case PacketRouting::Destination::kNowhere:
          EndUnrouted(std::move(traveller.packet),
                      settings_.forwards == Tristate::kNo
                          ? "this host forwards no packets (net.ipv4.ip_forward), or has no route for it"
                          : "this host has no route for it");
          break;
      }
    }
    // ip6_forward() asks conf.all.forwarding. IPv4 asks each device, and so does whoever asks for the route.
    if (settings_.forwards == Tristate::kNo && connection_.routing && connection_.family == IpFamily::kIpv6) {
      for (InFlightPacket& traveller : onward) {
        EndUnrouted(std::move(traveller.packet), "this host forwards no packets (net.ipv6.conf.all.forwarding)");
      }
      onward.clear();
    }
    for (InFlightPacket& traveller : PassAll(way.onward, std::move(onward))) {
      Arrive(std::move(traveller));
    }
    if (received.empty()) {
      return;
    }
    for (InFlightPacket& traveller : PassAll({{Hook::kInput, way.in, nullptr, true}}, std::move(received))) {
      if (drops_ == Drops::kAreIgnored) {
        Arrive(std::move(traveller));
      } else {
        EndUnrouted(std::move(traveller.packet), "it is delivered to this host itself, which has no such connection");
      }
    }
  }

  void EndUnrouted(Packet packet, const char* because) {
    ends_.push_back({{ChainResult::Kind::kDrop, std::move(packet), nullptr, nullptr, nullptr, because}, std::nullopt});
  }

  Tristate ComesBack(const Packet& packet) const {
    if (connection_.journey != PathKind::kLocal || !IsOutgoing(kind_) || !packet.rerouted ||
        packet.destination_kind != AddressKind::kUnknown) {
      return Tristate::kNo;
    }
    return packet.new_route != nullptr ? TristateOf(packet.new_route->local) : Tristate::kUnknown;
  }

  std::vector<InFlightPacket> PassAll(const std::vector<Stage>& stages, std::vector<InFlightPacket> travellers) {
    for (const Stage& stage : stages) {
      if (stage.layer != Layer::kIp) {
        travellers = PassBridge(stage, std::move(travellers));
        continue;
      }
      for (InFlightPacket& traveller : travellers) {
        Enter(stage, traveller.packet);
      }
      for (const std::vector<HookEntry>& group :
           HookEntries(evaluator_.GetRuleset(), connection_.family, settings_.conntrack_active, stage)) {
        travellers = PassGroup(stage, group, std::move(travellers));
      }
      for (InFlightPacket& traveller : travellers) {
        if (traveller.packet.tracking == PacketTracking::kNew) {
          Leave(stage, traveller.packet);
        }
      }
    }
    return travellers;
  }

  // Through a hook of a bridge or of its port, those packets that pass it.
  std::vector<InFlightPacket> PassBridge(const Stage& stage, std::vector<InFlightPacket> travellers) {
    const std::vector<std::vector<HookEntry>> groups =
        HookEntries(evaluator_.GetRuleset(), connection_.family, settings_.conntrack_active, stage);
    if (groups.empty()) {
      return travellers;
    }
    std::vector<InFlightPacket> passed;
    std::vector<InFlightPacket> there;
    for (InFlightPacket& traveller : travellers) {
      const Tristate passes = PassesBridge(stage, traveller.packet);
      if (passes == Tristate::kUnknown) {
        AddUncertainty(traveller.packet, groups.front().front(), stage.hook, "whether the packet passes a bridge");
      }
      if (passes != Tristate::kYes) {
        Keep(passed, traveller, stage.hook);
      }
      if (passes != Tristate::kNo) {
        // What was known of the device says nothing of the port.
        ForgetDevices(traveller.packet, stage.in != nullptr ? Field::kInName : Field::kOutName,
                      stage.in != nullptr ? Field::kInKind : Field::kOutKind);
        there.push_back(std::move(traveller));
      }
    }
    for (const std::vector<HookEntry>& group : groups) {
      there = PassGroup(stage, group, std::move(there));
    }
    for (InFlightPacket& traveller : there) {
      ForgetDevices(traveller.packet, stage.in != nullptr ? Field::kInName : Field::kOutName,
                    stage.in != nullptr ? Field::kInKind : Field::kOutKind);
      Keep(passed, std::move(traveller), stage.hook);
    }
    return passed;
  }

  Tristate PassesBridge(const Stage& stage, const Packet& packet) const {
    if (stage.out == nullptr || !packet.rerouted || connection_.journey != PathKind::kLocal) {
      return IsBridge(*stage.bridge, stage.out != nullptr ? *stage.out : *stage.in, connection_.general);
    }
    if (packet.new_route == nullptr) {
      return Tristate::kUnknown;
    }
    return packet.new_route->local ? Tristate::kNo
                                   : IsBridge(packet.new_route->egress, stages_.AnyPort(), connection_.general);
  }

  void Arrive(InFlightPacket traveller) {
    traveller.last.ending.kind = ChainResult::Kind::kAccept;
    traveller.last.ending.packet = std::move(traveller.packet);
    ends_.push_back(std::move(traveller.last));
  }

  void Enter(const Stage& stage, Packet& packet) const {
    if (stage.hook == Hook::kIngress) {
      packet.owner = SocketOwner::kNone;  // loopback_xmit() and ip_rcv() let go of the sender's socket
    } else if (stage.hook == Hook::kInput && connection_.journey == PathKind::kLocal &&
               settings_.early_demultiplexing != Tristate::kNo) {
      const SocketFacts& receiver = connection_.local_socket;
      // What answers a FIN finds a socket that no process holds any more.
      const bool held = receiver.held && kind_ != PacketKind::kAck;
      packet.owner = held ? SocketOwner::kProcess : SocketOwner::kNone;
      if (settings_.early_demultiplexing == Tristate::kUnknown) {
        packet.owner = SocketOwner::kUnknown;
      }
      packet.user = receiver.user ? AbstractNumber<4>::Known(*receiver.user) : packet.user;
      packet.group = receiver.group ? AbstractNumber<4>::Known(*receiver.group) : packet.group;
    }
  }

  // What the kernel itself does with a new connection's packet at the end of a hook.
  void Leave(const Stage& stage, Packet& packet) const {
    // nf_nat_inet_fn(): what no rule translates is bound to stay as it is. Nat runs at all its hooks once there is a
    // nat chain at one of them, and decides about each end of a connection once: over loopback on the way out.
    const bool leaving = LeavesNat(stage.hook);
    if (nat_active_ && (leaving || stage.hook == Hook::kPrerouting || stage.hook == Hook::kOutput)) {
      (leaving ? packet.source_decided : packet.destination_decided) = true;
    }
    // nf_confirm() at the end of postrouting and input puts a new entry into the table.
    packet.confirmed = packet.confirmed || stage.hook == Hook::kPostrouting;
  }

  std::vector<InFlightPacket> PassGroup(const Stage& stage, const std::vector<HookEntry>& group,
                                        std::vector<InFlightPacket> travellers) {
    if (const auto order = KernelOrder(group, evaluator_.GetRuleset())) {
      for (const std::size_t i : *order) {
        travellers = Pass(stage, group[i], std::move(travellers));
      }
      return travellers;
    }
    const bool order_matters = group.size() > 1 && std::any_of(group.begin(), group.end(), [&](const HookEntry& each) {
                                 return MayChangePackets(each, evaluator_.Extensions());
                               });
    if (!order_matters) {
      for (const HookEntry& participant : group) {
        travellers = Pass(stage, participant, std::move(travellers));
      }
      return travellers;
    }
    if (group.size() > kReorderedChains) {
      for (InFlightPacket& traveller : travellers) {
        End({ChainResult::Kind::kUnknown, std::move(traveller.packet), group.front().table, group.front().chain,
             nullptr, "too many chains of one priority that change packets"},
            stage.hook);
      }
      return {};
    }
    std::vector<std::size_t> order(group.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::vector<InFlightPacket> passed;
    do {
      std::vector<InFlightPacket> copies = travellers;
      for (const std::size_t i : order) {
        copies = Pass(stage, group[i], std::move(copies));
      }
      for (InFlightPacket& each : copies) {
        Keep(passed, std::move(each), stage.hook);
      }
    } while (std::next_permutation(order.begin(), order.end()));
    // Orders that end differently are a doubt of their own.
    if (passed.size() > travellers.size()) {
      for (InFlightPacket& each : passed) {
        AddUncertainty(each.packet, group.front(), stage.hook, "the order of chains of one priority");
      }
    }
    return passed;
  }

  static void AddUncertainty(Packet& packet, const HookEntry& participant, Hook hook, const char* because) {
    if (!packet.doubt) {
      packet.doubt = std::make_shared<const Doubt>(Doubt{because, participant.table, participant.chain, nullptr, hook});
    }
  }

  std::vector<InFlightPacket> Pass(const Stage& stage, const HookEntry& participant,
                                   std::vector<InFlightPacket> travellers) {
    if (participant.table == nullptr) {
      for (InFlightPacket& traveller : travellers) {
        LookUpEntry(traveller.packet);
      }
      return travellers;
    }
    std::vector<InFlightPacket> passed;
    for (InFlightPacket& traveller : travellers) {
      PassChain(stage, participant, std::move(traveller), passed);
    }
    return passed;
  }

  // nf_conntrack_in(). What is untracked, or tracked already on its way out through loopback, stays so.
  void LookUpEntry(Packet& packet) const {
    if (packet.tracking == PacketTracking::kNoEntry || packet.tracking == PacketTracking::kTemplate) {
      packet.tracking = looked_up_;
    }
  }

  void PassChain(const Stage& stage, const HookEntry& participant, InFlightPacket traveller,
                 std::vector<InFlightPacket>& passed) {
    const BaseChain& base = *participant.chain->base;
    Packet& packet = traveller.packet;
    if (stage.hook == Hook::kIngress || stage.hook == Hook::kEgress) {
      const Interface device = stage.hook == Hook::kIngress ? *stage.in : context_.OutDevice(stage, packet);
      const Tristate bound = BoundTo(base, device, packet.general);
      if (bound == Tristate::kNo) {
        passed.push_back(std::move(traveller));
        return;
      }
      if (bound == Tristate::kUnknown) {
        AddUncertainty(packet, participant, stage.hook, "the device that the packet passes");
        Keep(passed, traveller, stage.hook);
      }
    }
    const bool nat = base.type == ChainType::kNat;
    if (nat) {
      const bool leaving = LeavesNat(stage.hook);
      if (packet.tracking != PacketTracking::kNew || (leaving ? packet.source_decided : packet.destination_decided)) {
        passed.push_back(std::move(traveller));
        return;
      }
      const Chain* chain = evaluator_.GetChain(*participant.table, participant.chain->name);
      if (chain == nullptr || chain->contents == Contents::kNotRead) {
        PassUnreadNat(stage, participant, leaving, std::move(traveller), passed);
        return;
      }
    }
    const Packet before = packet;
    const HookContext context = context_.At(stage, packet);
    for (ChainResult& ending :
         evaluator_.RunBaseChain(*participant.table, *participant.chain, context, std::move(traveller.packet))) {
      if (drops_ == Drops::kAreIgnored &&
          (ending.kind == ChainResult::Kind::kDrop || ending.kind == ChainResult::Kind::kReject)) {
        ending.kind = ChainResult::Kind::kAccept;
      }
      if (ending.kind != ChainResult::Kind::kAccept && ending.kind != ChainResult::Kind::kQueue) {
        End(std::move(ending), stage.hook);
        continue;
      }
      const bool newly_translated =
          ending.packet.destination_translated != Tristate::kNo && before.destination_translated == Tristate::kNo;
      if (newly_translated && astray_ && astray_(ending.packet)) {
        continue;
      }
      Packet on = ending.packet;
      if (ending.kind == ChainResult::Kind::kQueue) {
        on.doubt = std::make_shared<const Doubt>(
            Doubt{"a program that decides about queued packets", ending.table, ending.chain, ending.rule, stage.hook});
        ending.packet = on;
        End(ending, stage.hook);
        on.mark = AbstractNumber<4>::Unknown();  // its verdict may carry a mark
      }
      if (stage.hook == Hook::kOutput && (base.type == ChainType::kRoute || nat)) {
        routing_.Reroute(before, on);
      }
      Keep(passed, {std::move(on), {std::move(ending), stage.hook}}, stage.hook);
    }
  }

  // A nat chain that nobody read. It translates, or it does not; that it drops is not assumed: x_tables' own tools
  // refuse that. No rule of it singles out the general connection.
  void PassUnreadNat(const Stage& stage, const HookEntry& participant, bool leaving, InFlightPacket traveller,
                     std::vector<InFlightPacket>& passed) {
    if (!traveller.packet.general) {
      AddUncertainty(traveller.packet, participant, stage.hook, "address translation");
      InFlightPacket translated = traveller;
      Packet& packet = translated.packet;
      const std::size_t size = packet.family == IpFamily::kIpv4 ? 4 : 16;
      const std::size_t first = (packet.family == IpFamily::kIpv4 ? 12 : 8) + (leaving ? 0 : size);
      std::fill_n(packet.network.begin() + static_cast<std::ptrdiff_t>(first), size, AbstractByte::Unknown());
      std::fill_n(packet.transport.begin() + (leaving ? 0 : 2), 2, AbstractByte::Unknown());
      (leaving ? packet.source_kind : packet.destination_kind) = AddressKind::kUnknown;
      (leaving ? packet.source_translated : packet.destination_translated) = Tristate::kUnknown;
      (leaving ? packet.source_decided : packet.destination_decided) = true;
      packet.rerouted = packet.rerouted || stage.hook == Hook::kOutput;
      Keep(passed, std::move(translated), stage.hook);
    }
    Keep(passed, std::move(traveller), stage.hook);
  }

  void Keep(std::vector<InFlightPacket>& travellers, InFlightPacket traveller, Hook hook) {
    for (const InFlightPacket& each : travellers) {
      if (each.packet.SameAs(traveller.packet)) {
        return;
      }
    }
    constexpr std::size_t kTravellers = 64;
    if (travellers.size() >= kTravellers) {
      End({ChainResult::Kind::kUnknown, std::move(traveller.packet), nullptr, nullptr, nullptr,
           "too many possible packets"},
          hook);
      return;
    }
    travellers.push_back(std::move(traveller));
  }

  void End(ChainResult ending, Hook hook) { ends_.push_back({std::move(ending), hook}); }

  ChainEvaluator& evaluator_;
  const Connection& connection_;
  PacketKind kind_;
  PacketTracking looked_up_;
  const NamespaceSettings& settings_;
  Drops drops_;
  const IsMisrouted& astray_;
  const HookStages stages_{evaluator_.GetRuleset(), connection_, kind_, settings_};
  const StageContext context_{connection_, kind_, settings_, stages_};
  const PacketRouting routing_{evaluator_.Facts(), connection_, settings_};
  const bool nat_active_ = HasNatChain(evaluator_.GetRuleset(), connection_.family);
  std::vector<TraversalEnd> ends_;
};

}  // namespace

// tcp_new(), the column "none" of the state table: SYN opens, a bare ACK is picked up where tcp_loose says so, and FIN
// wins over ACK.
PacketTracking TrackingWithoutEntry(PacketKind kind, bool tcp_loose) {
  switch (kind) {
    case PacketKind::kSyn:
    case PacketKind::kPeerSyn:
      return PacketTracking::kNew;
    case PacketKind::kData:
    case PacketKind::kAck:
      return tcp_loose ? PacketTracking::kNew : PacketTracking::kNoEntry;
    case PacketKind::kFin:
    case PacketKind::kRst:
    case PacketKind::kPeerFin:
      break;
  }
  return PacketTracking::kNoEntry;
}

std::vector<TraversalEnd> TraverseHooks(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                                        Packet packet, PacketTracking looked_up, const NamespaceSettings& settings,
                                        Drops drops, const IsMisrouted& astray) {
  evaluator.ResetBudget();
  std::vector<TraversalEnd> ends =
      Walk(evaluator, connection, kind, looked_up, settings, drops, astray).Run(std::move(packet));
  if (evaluator.Observer() != nullptr && connection.within != nullptr) {
    evaluator.Observer()->OnEnds(connection, kind, ends);
  }
  return ends;
}

}  // namespace finwait::firewall::eval
