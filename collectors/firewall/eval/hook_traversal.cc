#include "collectors/firewall/eval/hook_traversal.h"

#include <linux/if_arp.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "collectors/firewall/eval/expression_traits.h"
#include "collectors/firewall/eval/hook_order.h"

namespace finwait::firewall::eval {
namespace {

// Orders of chains of one priority are all tried up to this many chains (24 orders).
constexpr std::size_t kReorderedChains = 4;

// Whose hook it is: that of IP, or of a device that packets of IP are seen on; that of a bridge, whose tables are of
// family bridge; that of the bridge's port.
enum class Layer { kIp, kBridge, kPort };

// One hook of a journey and the devices that it gives to its rules.
struct Stage {
  Hook hook;
  const Interface* in = nullptr;
  const Interface* out = nullptr;
  bool has_link_header = false;
  Layer layer = Layer::kIp;
  const Interface* bridge = nullptr;  // of which `in` or `out` is a port; not on kIp
};

// Whether packets that pass `device` pass a bridge's hooks, too. `port`: of it, if it is one.
Tristate IsBridge(const Interface& device, const Interface& port, bool general) {
  if (port.index) {
    return Tristate::kYes;
  }
  if (device.kind) {
    return TristateOf(*device.kind == "bridge");
  }
  return general ? Tristate::kNo : Tristate::kUnknown;
}

Interface AnyPort() {
  Interface port;
  port.type = ARPHRD_ETHER;
  return port;
}

// Any chain of the table could be reached from the base chain; asking for the table is enough.
bool MayChangePackets(const HookEntry& participant, const xt::Registry& extensions) {
  if (participant.table == nullptr) {
    return true;
  }
  for (const auto& [name, chain] : participant.table->chains) {
    if (std::any_of(chain->rules.begin(), chain->rules.end(),
                    [&](const Rule& rule) { return ChangesPackets(rule, extensions); })) {
      return true;
    }
  }
  return false;
}

// Whether a chain of hook ingress or egress is bound to the device.
Tristate BoundTo(const BaseChain& base, const Interface& device, bool general) {
  if (!device.name) {
    return general || base.devices.empty() ? Tristate::kNo : Tristate::kUnknown;
  }
  return TristateOf(std::any_of(base.devices.begin(), base.devices.end(), [&](const Device& each) {
    return each.prefix ? device.name->compare(0, each.name.size(), each.name) == 0 : *device.name == each.name;
  }));
}

bool LeavesUntouched(const Packet& before, const Packet& after) {
  return before.network == after.network && before.mark == after.mark;
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
    travellers = PassAll(Stages(), std::move(travellers));
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
    for (InFlightPacket& traveller : PassAll(StagesInThroughLoopback(), std::move(coming_back))) {
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

  // The hooks before routing has decided, and those after it.
  struct ForwardedWay {
    const Interface* in = nullptr;
    std::vector<Stage> arrival;
    std::vector<Stage> onward;
  };

  // Through this host: where each packet goes on to is decided by what prerouting has made of it.
  void PassThrough(std::vector<InFlightPacket> travellers) {
    const ForwardedWay way = WayThrough();
    std::vector<InFlightPacket> onward;
    std::vector<InFlightPacket> received;
    for (InFlightPacket& traveller : PassAll(way.arrival, std::move(travellers))) {
      switch (RouteArrival(way, traveller.packet)) {
        case Destination::kElsewhere:
          onward.push_back(std::move(traveller));
          break;
        case Destination::kThisHost:
          received.push_back(std::move(traveller));
          break;
        case Destination::kNowhere:
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

  enum class Destination { kElsewhere, kThisHost, kNowhere };

  // ip_route_input() between prerouting and what follows. Without facts about routes, as for the representative flow,
  // packets go where the connection says.
  Destination RouteArrival(const ForwardedWay& way, Packet& packet) const {
    if (!connection_.routing || connection_.passage.bridged) {
      return Destination::kElsewhere;
    }
    const auto source = KnownAddress(packet.SourceAddress());
    const auto destination = KnownAddress(packet.DestinationAddress());
    const Interface& in = *way.in;
    Wide mark = 0;
    const bool mark_known = KnownNumber(packet.mark.bytes, &mark);
    packet.rerouted = true;
    if (evaluator_.Facts() == nullptr || !source || !destination || !in.index ||
        (!mark_known && settings_.routes_by_mark != Tristate::kNo)) {
      return Destination::kElsewhere;
    }
    facts::RouteKey key;
    key.source = source;
    key.destination = *destination;
    key.arriving_on = *in.index;
    key.mark = settings_.routes_by_mark == Tristate::kNo ? 0 : static_cast<std::uint32_t>(mark);
    if (settings_.routes_by_ports != Tristate::kNo) {
      key.source_port = KnownPort(packet.SourcePort());
      key.destination_port = KnownPort(packet.DestinationPort());
    }
    const facts::Fact* fact = evaluator_.Facts()->Find(key);
    if (fact == nullptr) {
      return Destination::kElsewhere;
    }
    if (fact->IsAbsent()) {
      return Destination::kNowhere;
    }
    if (const auto* route = fact->As<std::shared_ptr<const facts::Route>>()) {
      packet.new_route = *route;
    }
    return packet.new_route != nullptr && packet.new_route->local ? Destination::kThisHost : Destination::kElsewhere;
  }

  static std::optional<std::uint16_t> KnownPort(AbstractBytes bytes) {
    Wide port = 0;
    return KnownNumber(bytes, &port) ? std::optional(static_cast<std::uint16_t>(port)) : std::nullopt;
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
      for (const std::vector<HookEntry>& group : Groups(stage)) {
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
    const std::vector<std::vector<HookEntry>> groups = Groups(stage);
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
    return packet.new_route->local ? Tristate::kNo : IsBridge(packet.new_route->egress, any_port_, connection_.general);
  }

  static void ForgetDevices(Packet& packet, Field first, Field last) {
    std::erase_if(packet.domains, [&](const auto& each) { return each.first >= first && each.first <= last; });
  }

  void Arrive(InFlightPacket traveller) {
    traveller.last.ending.kind = ChainResult::Kind::kAccept;
    traveller.last.ending.packet = std::move(traveller.packet);
    ends_.push_back(std::move(traveller.last));
  }

  std::vector<Stage> StagesInThroughLoopback() const {
    return {{Hook::kIngress, &loopback_, nullptr, true},
            {Hook::kPrerouting, &loopback_, nullptr, true},
            {Hook::kInput, &loopback_, nullptr, true}};
  }

  std::vector<Stage> Stages() {
    const bool outgoing = IsOutgoing(kind_);
    arrival_ = connection_.ingress.value_or(connection_.egress);
    switch (connection_.journey) {
      case PathKind::kLocal:
        if (outgoing) {
          const Interface* out = &connection_.egress;
          std::vector<Stage> way = {
              {Hook::kOutput, nullptr, out}, {Hook::kPostrouting, nullptr, out}, {Hook::kEgress, nullptr, out, true}};
          AddOutThroughBridge(out, &far_port_, way);
          return way;
        }
        return InFromOutside(&arrival_, connection_.ingress ? &any_port_ : &far_port_);
      case PathKind::kLoopback:
        return {{Hook::kOutput, nullptr, &loopback_},           {Hook::kPostrouting, nullptr, &loopback_},
                {Hook::kEgress, nullptr, &loopback_, true},     {Hook::kIngress, &loopback_, nullptr, true},
                {Hook::kPrerouting, &loopback_, nullptr, true}, {Hook::kInput, &loopback_, nullptr, true}};
      case PathKind::kForwarded:
        break;
    }
    return {};
  }

  ForwardedWay WayThrough() {
    const bool outgoing = IsOutgoing(kind_);
    arrival_ = connection_.ingress.value_or(Interface{});
    const Interface* in = outgoing ? &arrival_ : &connection_.egress;
    const Interface* out = outgoing ? &connection_.egress : &arrival_;
    const Interface* in_port = outgoing ? &near_port_ : &far_port_;
    const Interface* out_port = outgoing ? &far_port_ : &near_port_;
    if (connection_.passage.bridged) {
      return WayThroughOneBridge(in, in_port, out, out_port);
    }
    ForwardedWay way;
    way.in = in;
    way.arrival = InFromOutside(in, in_port);
    way.arrival.pop_back();  // where it goes on to, routing decides
    way.onward = {
        {Hook::kForward, in, out, true}, {Hook::kPostrouting, in, out, true}, {Hook::kEgress, nullptr, out, true}};
    AddOutThroughBridge(out, out_port, way.onward);
    return way;
  }

  // What a bridge passes on never comes in over the bridge itself.
  ForwardedWay WayThroughOneBridge(const Interface* in, const Interface* in_port, const Interface* out,
                                   const Interface* out_port) const {
    ForwardedWay way;
    way.in = in;
    const bool calls_rules = connection_.passage.bridge_calls_rules != Tristate::kNo;
    way.arrival.push_back({Hook::kIngress, in_port, nullptr, true, Layer::kPort, in});
    way.arrival.push_back({Hook::kPrerouting, in_port, nullptr, true, Layer::kBridge, in});
    if (calls_rules) {
      way.arrival.push_back({Hook::kPrerouting, in, nullptr, true});
    }
    way.onward.push_back({Hook::kForward, in_port, out_port, true, Layer::kBridge, in});
    if (calls_rules) {
      way.onward.push_back({Hook::kForward, in, out, true});
    }
    way.onward.push_back({Hook::kPostrouting, nullptr, out_port, true, Layer::kBridge, in});
    if (calls_rules) {
      way.onward.push_back({Hook::kPostrouting, in, out, true});
    }
    way.onward.push_back({Hook::kEgress, nullptr, out_port, true, Layer::kPort, in});
    return way;
  }

  // br_handle_frame(), br_pass_frame_up(), and what IP does then. br_netfilter has IP's prerouting rules called first.
  std::vector<Stage> InFromOutside(const Interface* in, const Interface* port) const {
    std::vector<Stage> way;
    const Stage prerouting = {Hook::kPrerouting, in, nullptr, true};
    bool called = false;
    if (HasBridgeHooks(*in, *port)) {
      way.push_back({Hook::kIngress, port, nullptr, true, Layer::kPort, in});
      way.push_back({Hook::kPrerouting, port, nullptr, true, Layer::kBridge, in});
      called =
          settings_.bridge_calls_rules == Tristate::kYes && IsBridge(*in, *port, connection_.general) == Tristate::kYes;
      if (called) {
        way.push_back(prerouting);
      }
      way.push_back({Hook::kInput, port, nullptr, true, Layer::kBridge, in});
    }
    way.push_back({Hook::kIngress, in, nullptr, true});
    if (!called) {
      way.push_back(prerouting);
    }
    way.push_back({Hook::kInput, in, nullptr, true});
    return way;
  }

  // br_dev_xmit(), __br_forward().
  void AddOutThroughBridge(const Interface* out, const Interface* port, std::vector<Stage>& way) const {
    if (HasBridgeHooks(*out, *port)) {
      way.push_back({Hook::kOutput, nullptr, port, true, Layer::kBridge, out});
      way.push_back({Hook::kPostrouting, nullptr, port, true, Layer::kBridge, out});
      way.push_back({Hook::kEgress, nullptr, port, true, Layer::kPort, out});
    }
  }

  // Whether anything may look at packets where they pass a bridge that `device` is.
  bool HasBridgeHooks(const Interface& device, const Interface& port) const {
    return has_bridge_table_ || IsBridge(device, port, connection_.general) == Tristate::kYes;
  }

  bool HasTableOf(TableFamily family) const {
    const auto& tables = evaluator_.GetRuleset().tables;
    return std::any_of(tables.begin(), tables.end(),
                       [&](const Table& table) { return !table.dormant && table.family == family; });
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

  // Whether nat looks at the source at this hook, and not at the destination.
  static bool LeavesNat(Hook hook) { return hook == Hook::kPostrouting || hook == Hook::kInput; }

  bool HasNatChain() const {
    for (const Table& table : evaluator_.GetRuleset().tables) {
      if (table.dormant || !Covers(table.family, connection_.family)) {
        continue;
      }
      if (std::any_of(table.chains.begin(), table.chains.end(), [](const auto& each) {
            return each.second->base && each.second->base->type == ChainType::kNat;
          })) {
        return true;
      }
    }
    return false;
  }

  HookContext Context(const Stage& stage, const Packet& packet) const {
    HookContext context;
    context.hook = stage.hook;
    context.journey = connection_.journey;
    context.has_link_header = stage.has_link_header;
    if (stage.in != nullptr) {
      context.in = DeviceView::Input(*stage.in);
    }
    if (stage.out != nullptr) {
      context.out = DeviceView::Output(OutDevice(stage, packet));
    }
    if (stage.layer == Layer::kBridge) {
      context.bridge = DeviceView::Input(*stage.bridge);
    }
    context.socket = SocketAt(stage);
    context.socket_attached = AttachedAt(stage);
    context.source_routes_to_input = SourceRoutesToInput();
    context.route_to_destination = context.out;
    if (connection_.journey == PathKind::kForwarded) {
      DescribePassage(stage, packet, context);
    }
    context.route_to_source = context.source_routes_to_input == Tristate::kYes ? context.in : DeviceView();
    const bool leaves = IsOutgoing(kind_) || connection_.journey == PathKind::kForwarded;
    if (stage.hook == Hook::kPostrouting && leaves && connection_.journey != PathKind::kLoopback) {
      if (!packet.rerouted) {
        context.masquerade = IsOutgoing(kind_) ? connection_.masquerade : std::nullopt;
      } else if (packet.new_route != nullptr && !packet.new_route->local) {
        context.masquerade = packet.new_route->masquerade;
      }
    }
    return context;
  }

  static bool ComesIn(const Stage& stage) {
    return stage.hook == Hook::kIngress || stage.hook == Hook::kPrerouting || stage.hook == Hook::kInput;
  }

  // The socket that sent the packet or, where it comes in, that will receive it.
  const SocketFacts* SocketAt(const Stage& stage) const {
    const bool of_local_end = IsOutgoing(kind_) != ComesIn(stage);
    switch (connection_.journey) {
      case PathKind::kForwarded:
        return nullptr;
      case PathKind::kLoopback:
        return of_local_end ? &connection_.local_socket : &connection_.peer_socket;
      case PathKind::kLocal:
        break;
    }
    // What was sent to the peer may come in again, translated to another receiver here.
    return of_local_end ? &connection_.local_socket : nullptr;
  }

  // skb->sk: of what comes in it is set between prerouting and input, by early demultiplexing. What came through
  // loopback has a route already, and is not looked at.
  Tristate AttachedAt(const Stage& stage) const {
    if (connection_.journey == PathKind::kForwarded) {
      return Tristate::kNo;
    }
    if (!ComesIn(stage)) {
      return Tristate::kYes;
    }
    const bool from_outside = connection_.journey == PathKind::kLocal && !IsOutgoing(kind_);
    return stage.hook == Hook::kInput && stage.layer == Layer::kIp && from_outside ? settings_.early_demultiplexing
                                                                                   : Tristate::kNo;
  }

  void DescribePassage(const Stage& stage, const Packet& packet, HookContext& context) const {
    const Passage& passage = connection_.passage;
    if (stage.out == nullptr && !packet.general) {
      // Asked before routing: what the connection's own route says of the destination that the packet still has.
      const Interface& out = IsOutgoing(kind_) ? connection_.egress : arrival_;
      context.route_to_destination = DeviceView::Output(out);
    }
    context.bridged = passage.bridged;
    const bool from_behind = IsOutgoing(kind_) && passage.bridge_port.has_value();
    if (from_behind && stage.in != nullptr) {
      context.has_bridge_port = passage.bridge_calls_rules;
      context.bridge_port = DeviceView::Input(*passage.bridge_port);
    } else if (passage.bridge_calls_rules == Tristate::kNo) {
      context.has_bridge_port = Tristate::kNo;
    }
  }

  // What the packet leaves through: where it was going to, or where it was routed again.
  Interface OutDevice(const Stage& stage, const Packet& packet) const {
    const bool forwarded = connection_.journey == PathKind::kForwarded;
    if (stage.layer != Layer::kIp) {
      const bool elsewhere = packet.rerouted && packet.new_route != nullptr && !forwarded;
      return elsewhere ? packet.new_route->egress_port.value_or(any_port_) : *stage.out;
    }
    if (!packet.rerouted || (!forwarded && stage.hook != Hook::kPostrouting && stage.hook != Hook::kEgress)) {
      return *stage.out;
    }
    if (packet.new_route == nullptr && forwarded && packet.destination_translated == Tristate::kNo) {
      return *stage.out;  // not asked for: what the connection says holds
    }
    if (packet.new_route == nullptr) {
      return {};
    }
    return packet.new_route->local ? loopback_ : packet.new_route->egress;
  }

  // Whether packets come in on the device that routing picks for their source.
  Tristate SourceRoutesToInput() const {
    if (connection_.journey == PathKind::kForwarded) {
      if (connection_.general) {
        return Tristate::kYes;
      }
      // The peer's packets are taken to come in where those to the peer leave.
      const Tristate peers = connection_.egress.index ? Tristate::kYes : Tristate::kUnknown;
      return IsOutgoing(kind_) ? connection_.passage.symmetric : peers;
    }
    if (!connection_.ingress) {
      return Tristate::kYes;
    }
    const Interface& in = *connection_.ingress;
    const Interface& out = connection_.egress;
    if (in.index && out.index) {
      return TristateOf(*in.index == *out.index);
    }
    return in.name && out.name ? TristateOf(*in.name == *out.name) : Tristate::kUnknown;
  }

  // The participants of a hook, those of equal priority together.
  std::vector<std::vector<HookEntry>> Groups(const Stage& stage) const {
    std::vector<HookEntry> all;
    const bool ip = stage.layer == Layer::kIp;
    if (ip && settings_.conntrack_active && (stage.hook == Hook::kPrerouting || stage.hook == Hook::kOutput)) {
      all.push_back({nullptr, nullptr, NF_IP_PRI_CONNTRACK, 0});
    }
    for (const Table& table : evaluator_.GetRuleset().tables) {
      const bool is_there = stage.layer == Layer::kBridge ? table.family == TableFamily::kBridge
                                                          : Covers(table.family, connection_.family);
      if (table.dormant || !is_there) {
        continue;
      }
      for (const auto& [name, chain] : table.chains) {
        if (!chain->base || chain->base->hook != stage.hook) {
          continue;
        }
        int priority = chain->base->priority;
        if (chain->base->type == ChainType::kNat) {
          // nf_nat_register_fn(): all nat chains run from nat's own hook, in the order of their priorities there.
          priority = LeavesNat(stage.hook) ? NF_IP_PRI_NAT_SRC : NF_IP_PRI_NAT_DST;
        }
        all.push_back({&table, chain.get(), priority, chain->base->priority});
      }
    }
    std::stable_sort(all.begin(), all.end(), [](const HookEntry& a, const HookEntry& b) {
      return std::pair(a.priority, a.priority_among_nat) < std::pair(b.priority, b.priority_among_nat);
    });
    std::vector<std::vector<HookEntry>> groups;
    for (const HookEntry& each : all) {
      const bool nat = each.chain != nullptr && each.chain->base->type == ChainType::kNat;
      const bool joins =
          !groups.empty() && groups.back().front().priority == each.priority &&
          !(nat && groups.back().back().chain != nullptr && groups.back().back().chain->base->type == ChainType::kNat &&
            groups.back().back().priority_among_nat != each.priority_among_nat);
      if (!joins) {
        groups.emplace_back();
      }
      groups.back().push_back(each);
    }
    return groups;
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
      const Interface device = stage.hook == Hook::kIngress ? *stage.in : OutDevice(stage, packet);
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
    const HookContext context = Context(stage, packet);
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
        Reroute(before, on);
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

  // nf_route_table_hook(), nf_nat_ipv4_local_fn(): routed again when addresses, mark or type of service changed.
  void Reroute(const Packet& before, Packet& packet) const {
    if (LeavesUntouched(before, packet)) {
      return;
    }
    const bool addresses =
        !std::equal(before.SourceAddress().begin(), before.SourceAddress().end(), packet.SourceAddress().begin()) ||
        !std::equal(before.DestinationAddress().begin(), before.DestinationAddress().end(),
                    packet.DestinationAddress().begin());
    if (addresses || settings_.routes_by_mark != Tristate::kNo) {
      packet.rerouted = true;
      packet.new_route = RouteOf(packet);
      // What was known of the device that it was going to says nothing of the new one.
      ForgetDevices(packet, Field::kOutName, Field::kOutKind);
    }
  }

  // ip_route_me_harder() routes by addresses, mark, bound device and user; not by protocol and ports.
  std::shared_ptr<const facts::Route> RouteOf(const Packet& packet) const {
    Wide mark = 0;
    const bool mark_known = KnownNumber(packet.mark.bytes, &mark);
    const auto destination = KnownAddress(packet.DestinationAddress());
    if (evaluator_.Facts() == nullptr || !connection_.routing || !destination ||
        (!mark_known && settings_.routes_by_mark != Tristate::kNo)) {
      return nullptr;
    }
    facts::RouteKey key = *connection_.routing;
    key.destination = *destination;
    key.mark = settings_.routes_by_mark == Tristate::kNo ? 0 : static_cast<std::uint32_t>(mark);
    key.source_port.reset();
    key.destination_port.reset();
    const auto* route = evaluator_.Facts()->FindValue<std::shared_ptr<const facts::Route>>(key);
    return route != nullptr ? *route : nullptr;
  }

  static std::optional<IpAddress> KnownAddress(AbstractBytes address) {
    std::vector<std::byte> bytes;
    for (const AbstractByte& byte : address) {
      if (!byte.IsKnown()) {
        return std::nullopt;
      }
      bytes.push_back(std::byte{byte.value});
    }
    return IpAddress::FromBytes(bytes);
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
  Interface arrival_;
  const Interface loopback_ = Loopback();
  const Interface any_port_ = AnyPort();
  // The ports by which packets come from the local end behind a bridge, and by which they go to the peer.
  const Interface near_port_ = connection_.passage.bridge_port.value_or(any_port_);
  const Interface far_port_ = connection_.egress_port.value_or(any_port_);
  const bool nat_active_ = HasNatChain();
  const bool has_bridge_table_ = HasTableOf(TableFamily::kBridge);
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
