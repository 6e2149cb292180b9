#include "collectors/firewall/eval/hook_traversal.h"

#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "collectors/firewall/eval/hook_order.h"
#include "collectors/firewall/eval/hook_steps.h"
#include "collectors/firewall/eval/packet_routing.h"
#include "collectors/firewall/eval/step_context.h"

namespace finwait::firewall::eval {
namespace {

// So many orders of chains of one priority are tried at most: those of four of which nothing is known.
constexpr std::size_t kMostOrders = 24;

// ip_queue_xmit(), ip_forward(): nothing leaves, as where a rule drops.
constexpr const char* kNoRoute = "this host has no route for it";

// A device that sends by another one, and receives by it: packets pass the hooks of that one, too.
bool StandsOnAnother(const Interface& device) {
  constexpr std::string_view kKinds[] = {"vlan", "macvlan", "macvtap", "ipvlan", "bond", "team"};
  return device.kind && std::find(std::begin(kKinds), std::end(kKinds), *device.kind) != std::end(kKinds);
}

// Whether packets that pass the device pass a chain of hook ingress or egress.
Tristate BoundTo(const BaseChain& base, const Interface& device, bool general) {
  if (base.devices.empty() || (general && !device.name)) {
    return Tristate::kNo;
  }
  const bool is_there =
      device.name && std::any_of(base.devices.begin(), base.devices.end(), [&](const Device& each) {
        return each.prefix ? device.name->compare(0, each.name.size(), each.name) == 0 : *device.name == each.name;
      });
  return is_there ? Tristate::kYes : !device.name || StandsOnAnother(device) ? Tristate::kUnknown : Tristate::kNo;
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

// nf_nat_packet(): what nat makes at one hook of packets whose entry is there. It gives them a destination where they
// come in or are sent here, and a source where they leave, whichever end sends them. Done twice it changes nothing.
class EntryTranslation {
 public:
  EntryTranslation(const Connection& connection, PacketKind kind, Hook hook, const PacketRouting& routing)
      : of_source_(LeavesNat(hook)), sent_here_(hook == Hook::kOutput), routing_(routing) {
    if (!of_source_ && hook != Hook::kPrerouting && hook != Hook::kOutput) {
      return;
    }
    if (!connection.beyond_nat) {
      to_unknown_ends_ = connection.translated != Tristate::kNo;
      return;
    }
    const bool outgoing = IsOutgoing(kind);
    const bool of_local_end = of_source_ == outgoing;
    const Endpoint& here = of_local_end ? *connection.local : *connection.peer;
    const Endpoint& beyond = of_local_end ? connection.beyond_nat->local : connection.beyond_nat->peer;
    if (here != beyond) {
      made_ = outgoing ? beyond : here;
      destination_kind_ = connection.path_kind == PathKind::kForwarded ? AddressKind::kRemote
                          : outgoing                                   ? AddressKind::kUnknown
                                                                       : AddressKind::kLocal;
    }
  }

  // Before the chains of one priority. Of nat's own priority it is not known which of them comes before nat.
  void Before(const std::vector<HookEntry>& group, Packet& packet) const {
    const int priority = of_source_ ? NF_IP_PRI_NAT_SRC : NF_IP_PRI_NAT_DST;
    if (group.front().priority > priority) {
      Apply(packet);
    } else if (group.front().priority == priority && Changes(packet)) {
      PutUnknown(packet);
    }
  }

  // What is sent here and gets another destination is routed again (nf_nat_ipv4_local_fn()). There is a route: the
  // connection is up.
  void Apply(Packet& packet) const {
    if (!Changes(packet)) {
      return;
    }
    const Packet before = sent_here_ ? packet : Packet();
    if (!made_) {
      PutUnknown(packet);
    } else if (of_source_) {
      packet.PutSource(*made_, AddressKind::kUnknown);
    } else {
      packet.PutDestination(*made_, destination_kind_);
    }
    if (sent_here_) {
      routing_.Reroute(before, packet);
      const bool elsewhere = packet.new_route != nullptr && !packet.new_route->local;
      packet.destination_kind = elsewhere ? AddressKind::kRemote : packet.destination_kind;
    }
  }

 private:
  bool Changes(const Packet& packet) const {
    return (made_ || to_unknown_ends_) && packet.tracking == PacketTracking::kEstablished;
  }

  void PutUnknown(Packet& packet) const {
    const std::size_t size = packet.SourceAddress().size();
    const std::size_t first = (packet.family == IpFamily::kIpv4 ? 12 : 8) + (of_source_ ? 0 : size);
    std::fill_n(packet.network.begin() + static_cast<std::ptrdiff_t>(first), size, AbstractByte::Unknown());
    std::fill_n(packet.transport.begin() + (of_source_ ? 0 : 2), 2, AbstractByte::Unknown());
    (of_source_ ? packet.source_kind : packet.destination_kind) = AddressKind::kUnknown;
  }

  bool of_source_;
  bool sent_here_;
  const PacketRouting& routing_;
  std::optional<Endpoint> made_;  // what it makes of that end
  AddressKind destination_kind_ = AddressKind::kUnknown;
  bool to_unknown_ends_ = false;  // neither: it has no part in it
};

class Walk {
 public:
  Walk(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind, PacketTracking looked_up,
       const PacketPathSettings& settings, DropsOnTheWay drops, const IsMisrouted& is_misrouted)
      : evaluator_(evaluator),
        connection_(connection),
        kind_(kind),
        looked_up_(looked_up),
        settings_(settings),
        drops_(drops),
        is_misrouted_(is_misrouted) {}

  std::vector<TraversalEnd> Run(Packet packet) {
    std::vector<InFlightPacket> in_flight;
    in_flight.push_back({std::move(packet), {}});
    if (connection_.path_kind == PathKind::kForwarded) {
      PassThrough(std::move(in_flight));
      return std::move(ends_);
    }
    if (connection_.path_kind == PathKind::kLocal &&
        (IsOutgoing(kind_) ? connection_.unroutable : connection_.address_gone)) {
      EndUnrouted(std::move(in_flight.front().packet),
                  IsOutgoing(kind_) ? kNoRoute : "this host no longer has the address that it is sent to");
      return std::move(ends_);
    }
    in_flight = PassAll(steps_.OfThisHost(), std::move(in_flight));
    std::vector<InFlightPacket> coming_back;
    for (InFlightPacket& one : in_flight) {
      // Its new destination may be this host itself: then it has left through loopback, and comes in again.
      const Tristate comes_back = ComesBack(one.packet);
      if (comes_back == Tristate::kUnknown) {
        AddUncertainty(one.packet, HookEntry(), Hook::kOutput, kTranslationLeads);
      }
      if (comes_back != Tristate::kNo) {
        coming_back.push_back(one);
      }
      if (comes_back != Tristate::kYes) {
        Arrive(std::move(one));
      }
    }
    for (InFlightPacket& one : PassAll(steps_.InThroughLoopback(), std::move(coming_back))) {
      Arrive(std::move(one));
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
  void PassThrough(std::vector<InFlightPacket> in_flight) {
    const ForwardedWay way = steps_.Through();
    std::vector<InFlightPacket> onward;
    std::vector<InFlightPacket> received;
    for (InFlightPacket& one : PassAll(way.arrival, std::move(in_flight))) {
      switch (routing_.RouteArrival(*way.in, one.packet)) {
        case PacketRouting::Destination::kElsewhere:
        case PacketRouting::Destination::kMaybeNowhere:
          onward.push_back(std::move(one));
          break;
        case PacketRouting::Destination::kThisHost:
          received.push_back(std::move(one));
          break;
        case PacketRouting::Destination::kNowhere:
          EndUnrouted(std::move(one.packet),
                      settings_.forwards == Tristate::kNo
                          ? "this host forwards no packets (net.ipv4.ip_forward), or has no route for it"
                          : kNoRoute);
          break;
      }
    }
    // ip6_forward() asks conf.all.forwarding. IPv4 asks each device, and so does whoever asks for the route.
    if (settings_.forwards == Tristate::kNo && connection_.routing && connection_.family == IpFamily::kIpv6) {
      for (InFlightPacket& one : onward) {
        EndUnrouted(std::move(one.packet), "this host forwards no packets (net.ipv6.conf.all.forwarding)");
      }
      onward.clear();
    }
    for (InFlightPacket& one : PassAll(way.onward, std::move(onward))) {
      Arrive(std::move(one));
    }
    if (received.empty()) {
      return;
    }
    for (InFlightPacket& one : PassAll({{Hook::kInput, way.receiver, nullptr, true}}, std::move(received))) {
      if (drops_ == DropsOnTheWay::kAreIgnored) {
        Arrive(std::move(one));
      } else {
        EndUnrouted(std::move(one.packet), "it is delivered to this host itself, which has no such connection");
      }
    }
  }

  void EndUnrouted(Packet packet, const char* because) {
    ends_.push_back({{ChainResult::Kind::kDrop, std::move(packet), nullptr, nullptr, nullptr, because}, std::nullopt});
  }

  Tristate ComesBack(const Packet& packet) const {
    if (connection_.path_kind != PathKind::kLocal || !IsOutgoing(kind_) || !packet.rerouted ||
        packet.destination_kind != AddressKind::kUnknown) {
      return Tristate::kNo;
    }
    return packet.new_route != nullptr ? TristateOf(packet.new_route->local) : Tristate::kUnknown;
  }

  std::vector<InFlightPacket> PassAll(const std::vector<HookStep>& steps, std::vector<InFlightPacket> in_flight) {
    for (const HookStep& step : steps) {
      if (step.layer != Layer::kIp) {
        in_flight = PassBridge(step, std::move(in_flight));
        continue;
      }
      if (step.hook == Hook::kOutput && !step.untracked) {
        LeaveVrf(in_flight);
      }
      for (InFlightPacket& one : in_flight) {
        Enter(step, one.packet);
        NotePrograms(step, one.packet);
      }
      const EntryTranslation translation(connection_, kind_, step.hook, routing_);
      for (const std::vector<HookEntry>& group :
           HookEntries(evaluator_.GetRuleset(), connection_.family, settings_.conntrack_active, step)) {
        for (InFlightPacket& one : in_flight) {
          translation.Before(group, one.packet);
        }
        in_flight = PassGroup(step, group, std::move(in_flight));
      }
      for (InFlightPacket& one : in_flight) {
        translation.Apply(one.packet);
        if (one.packet.tracking == PacketTracking::kNew) {
          Leave(step, one.packet);
        }
      }
    }
    return in_flight;
  }

  // Through a hook of a bridge or of its port, those packets that pass it.
  std::vector<InFlightPacket> PassBridge(const HookStep& step, std::vector<InFlightPacket> in_flight) {
    const std::vector<std::vector<HookEntry>> groups =
        HookEntries(evaluator_.GetRuleset(), connection_.family, settings_.conntrack_active, step);
    if (groups.empty()) {
      return in_flight;
    }
    std::vector<InFlightPacket> passed;
    std::vector<InFlightPacket> there;
    for (InFlightPacket& one : in_flight) {
      const Tristate passes = PassesBridge(step, one.packet);
      if (passes == Tristate::kUnknown) {
        AddUncertainty(one.packet, groups.front().front(), step.hook, "whether the packet passes a bridge");
      }
      if (passes != Tristate::kYes) {
        Keep(passed, one, step.hook);
      }
      if (passes != Tristate::kNo) {
        // What was known of the device says nothing of the port.
        ClearDevices(one.packet, step.in != nullptr ? Field::kInName : Field::kOutName,
                     step.in != nullptr ? Field::kInKind : Field::kOutKind);
        there.push_back(std::move(one));
      }
    }
    for (const std::vector<HookEntry>& group : groups) {
      there = PassGroup(step, group, std::move(there));
    }
    for (InFlightPacket& one : there) {
      ClearDevices(one.packet, step.in != nullptr ? Field::kInName : Field::kOutName,
                   step.in != nullptr ? Field::kInKind : Field::kOutKind);
      Keep(passed, std::move(one), step.hook);
    }
    return passed;
  }

  Tristate PassesBridge(const HookStep& step, const Packet& packet) const {
    if (step.out == nullptr || !packet.rerouted || connection_.path_kind != PathKind::kLocal) {
      return IsBridge(*step.bridge, step.out != nullptr ? *step.out : *step.in, connection_.general);
    }
    if (packet.new_route == nullptr) {
      return Tristate::kUnknown;
    }
    return packet.new_route->local ? Tristate::kNo
                                   : IsBridge(packet.new_route->egress, steps_.AnyPort(), connection_.general);
  }

  void Arrive(InFlightPacket one) {
    one.last.result.kind = ChainResult::Kind::kAccept;
    one.last.result.packet = std::move(one.packet);
    ends_.push_back(std::move(one.last));
  }

  // What a VRF has had its turn at goes on to IP's own hooks, and conntrack looks at it there. Rules may have chosen
  // another device for it meanwhile: then it may never have been that VRF's.
  void LeaveVrf(std::vector<InFlightPacket>& in_flight) {
    std::erase_if(in_flight, [&](InFlightPacket& one) {
      if (one.packet.tracking != PacketTracking::kUntracked) {
        return false;
      }
      one.packet.tracking = PacketTracking::kNoEntry;
      if (one.packet.rerouted) {
        End({ChainResult::Kind::kUnknown, std::move(one.packet), nullptr, nullptr, nullptr,
             "where a packet goes on to that rules route again at the hooks of its VRF"},
            Hook::kOutput);
        return true;
      }
      return false;
    });
  }

  void Enter(const HookStep& step, Packet& packet) const {
    if (step.untracked) {
      packet.tracking = PacketTracking::kUntracked;  // vrf_nf_set_untracked()
    }
    if (step.hook == Hook::kIngress) {
      packet.owner = SocketOwner::kNone;  // loopback_xmit() and ip_rcv() let go of the sender's socket
    } else if (step.hook == Hook::kInput && connection_.path_kind == PathKind::kLocal && !IsOutgoing(kind_) &&
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

  // A program at a device is met beside the hooks ingress and egress there, one of netfilter's at its hook. The
  // representative connection is at no device; of classes of connections, rules alone are asked.
  void NotePrograms(const HookStep& step, Packet& packet) const {
    if (settings_.programs == nullptr || settings_.programs->empty() || packet.program != nullptr ||
        connection_.within != nullptr) {
      return;
    }
    std::optional<std::uint32_t> device;
    if (step.hook == Hook::kIngress) {
      device = step.in->index;
    } else if (step.hook == Hook::kEgress) {
      device = context_.OutDevice(step, packet).index;
    }
    const auto& programs = *settings_.programs;
    const auto met = std::find_if(programs.begin(), programs.end(), [&](const facts::ForeignProgram& program) {
      if (program.hook != step.hook) {
        return false;
      }
      if (program.control_group != 0) {
        return !packet.general && ActsOnLocalSocket(step) &&
               (program.control_group == facts::ForeignProgram::kRoot ||
                connection_.local_socket.control_group == program.control_group);
      }
      const bool at_device = program.hook == Hook::kIngress || program.hook == Hook::kEgress;
      return (program.device == 0 && !(at_device && packet.general)) ||
             (!packet.general && (!device || *device == program.device));
    });
    packet.program = met != programs.end() ? &*met : nullptr;
  }

  // Programs of a control group see what its sockets send, and what comes in for them.
  bool ActsOnLocalSocket(const HookStep& step) const {
    return step.layer == Layer::kIp && connection_.path_kind != PathKind::kForwarded &&
           IsOutgoing(kind_) == (step.hook == Hook::kPostrouting);
  }

  // What the kernel itself does with a new connection's packet at the end of a hook.
  void Leave(const HookStep& step, Packet& packet) const {
    // nf_nat_inet_fn(): what no rule translates is bound to stay as it is. Nat runs at all its hooks once there is a
    // nat chain at one of them, and decides about each end of a connection once: over loopback on the way out.
    const bool leaving = LeavesNat(step.hook);
    if (nat_active_ && (leaving || step.hook == Hook::kPrerouting || step.hook == Hook::kOutput)) {
      (leaving ? packet.source_decided : packet.destination_decided) = true;
    }
    // nf_confirm() at the end of postrouting and input puts a new entry into the table.
    packet.confirmed = packet.confirmed || step.hook == Hook::kPostrouting;
  }

  std::vector<InFlightPacket> PassGroup(const HookStep& step, const std::vector<HookEntry>& group,
                                        std::vector<InFlightPacket> in_flight) {
    const std::vector<std::vector<std::size_t>> orders = KernelOrders(group, kMostOrders);
    const bool order_matters =
        orders.size() != 1 && std::any_of(group.begin(), group.end(), [&](const HookEntry& each) {
          return MayChangePackets(each, evaluator_.Extensions());
        });
    if (!order_matters) {
      return PassInAnyOrder(step, group, orders, std::move(in_flight));
    }
    if (orders.empty()) {
      for (InFlightPacket& one : in_flight) {
        End({ChainResult::Kind::kUnknown, std::move(one.packet), group.front().table, group.front().chain, nullptr,
             "too many chains of one priority that change packets"},
            step.hook);
      }
      return {};
    }
    std::vector<InFlightPacket> passed;
    for (const std::vector<std::size_t>& order : orders) {
      for (InFlightPacket& each : PassInOrder(step, group, order, in_flight)) {
        Keep(passed, std::move(each), step.hook);
      }
    }
    // Orders that end differently are an uncertainty of their own.
    if (passed.size() > in_flight.size()) {
      for (InFlightPacket& each : passed) {
        AddUncertainty(each.packet, group.front(), step.hook, kChainOrder);
      }
    }
    return passed;
  }

  std::vector<InFlightPacket> PassInOrder(const HookStep& step, const std::vector<HookEntry>& group,
                                          const std::vector<std::size_t>& order,
                                          std::vector<InFlightPacket> in_flight) {
    for (const std::size_t i : order) {
      in_flight = Pass(step, group[i], std::move(in_flight));
    }
    return in_flight;
  }

  // Through chains none of which changes packets, or whose order is known. In every order the same packets pass; which
  // of two chains that drop one does so, each order may tell otherwise.
  std::vector<InFlightPacket> PassInAnyOrder(const HookStep& step, const std::vector<HookEntry>& group,
                                             const std::vector<std::vector<std::size_t>>& orders,
                                             std::vector<InFlightPacket> in_flight) {
    std::vector<std::size_t> as_listed(group.size());
    std::iota(as_listed.begin(), as_listed.end(), std::size_t{0});
    const std::size_t ended = ends_.size();
    std::vector<InFlightPacket> passed =
        PassInOrder(step, group, orders.empty() ? as_listed : orders.front(), in_flight);
    // Divided into classes, packets are each other's rest: another order's would claim them twice.
    const bool divided = !in_flight.empty() && in_flight.front().packet.keeps_domains;
    if (ends_.size() > ended && !divided) {
      for (std::size_t i = 1; i < orders.size(); ++i) {
        PassInOrder(step, group, orders[i], in_flight);
      }
    }
    return passed;
  }

  static void AddUncertainty(Packet& packet, const HookEntry& entry, Hook hook, const char* because) {
    if (!packet.uncertainty) {
      packet.uncertainty =
          std::make_shared<const Uncertainty>(Uncertainty{because, entry.table, entry.chain, nullptr, hook});
    }
  }

  std::vector<InFlightPacket> Pass(const HookStep& step, const HookEntry& entry,
                                   std::vector<InFlightPacket> in_flight) {
    if (entry.table == nullptr) {
      std::vector<InFlightPacket> without;
      for (InFlightPacket& one : in_flight) {
        LookUpEntry(one, step.hook, without);
      }
      for (InFlightPacket& one : without) {
        Keep(in_flight, std::move(one), step.hook);
      }
      return in_flight;
    }
    std::vector<InFlightPacket> passed;
    for (InFlightPacket& one : in_flight) {
      PassChain(step, entry, std::move(one), passed);
    }
    return passed;
  }

  // nf_conntrack_in(). What is untracked, or tracked already on its way out through loopback, stays so.
  // `without`: takes what may have none, where that cannot be told.
  void LookUpEntry(InFlightPacket& one, Hook hook, std::vector<InFlightPacket>& without) const {
    Packet& packet = one.packet;
    if (packet.tracking == PacketTracking::kNoEntry || packet.tracking == PacketTracking::kTemplate) {
      packet.tracking = looked_up_;
      if (looked_up_ == PacketTracking::kEstablished) {
        packet.connection_mark = AbstractNumber<4>::Of(Field::kConnectionMark);
        packet.entry = settings_.entry_is_listed ? KeyOfEntry(packet) : nullptr;
        LookIntoZone(one, hook, without);
      }
    }
  }

  // Where rules give a packet a zone, its connection need not have its entry there: it may be older than the rules, or
  // they give one direction another zone. conntrack then finds none, as if it were gone.
  void LookIntoZone(InFlightPacket& one, Hook hook, std::vector<InFlightPacket>& without) const {
    Packet& packet = one.packet;
    if (!settings_.entry_is_listed || packet.general || packet.zone.value_or(0) == 0) {
      return;
    }
    const facts::Fact* fact =
        packet.entry != nullptr && evaluator_.Facts() != nullptr ? evaluator_.Facts()->Find(*packet.entry) : nullptr;
    if (fact != nullptr && fact->Why() == nullptr && !fact->IsAbsent()) {
      return;
    }
    const bool is_absent = fact != nullptr && fact->IsAbsent();
    InFlightPacket none = one;
    none.packet.tracking = TrackingWithoutEntry(kind_, settings_.tcp_loose);
    none.packet.connection_mark = AbstractNumber<4>::Known(0);
    none.packet.entry = nullptr;
    if (is_absent) {
      one = std::move(none);
      return;
    }
    constexpr const char* kWhichZone = "whether its entry is in the conntrack zone that rules give to the packet";
    AddUncertainty(packet, HookEntry(), hook, kWhichZone);
    AddUncertainty(none.packet, HookEntry(), hook, kWhichZone);
    without.push_back(std::move(none));
  }

  // Null where an end is not known.
  static std::shared_ptr<const facts::EntryKey> KeyOfEntry(const Packet& packet) {
    const auto source = EndOf(packet.SourceAddress(), packet.SourcePort(), packet.family);
    const auto destination = EndOf(packet.DestinationAddress(), packet.DestinationPort(), packet.family);
    return source && destination && packet.zone
               ? std::make_shared<const facts::EntryKey>(facts::EntryKey{*source, *destination, *packet.zone})
               : nullptr;
  }

  static std::optional<Endpoint> EndOf(AbstractBytes address, AbstractBytes port, IpFamily family) {
    Wide address_number = 0;
    Wide port_number = 0;
    if (!KnownNumber(address, &address_number) || !KnownNumber(port, &port_number)) {
      return std::nullopt;
    }
    return Endpoint{packet::AddressOf(address_number, family), static_cast<std::uint16_t>(port_number)};
  }

  void PassChain(const HookStep& step, const HookEntry& entry, InFlightPacket one,
                 std::vector<InFlightPacket>& passed) {
    const BaseChain& base = *entry.chain->base;
    Packet& packet = one.packet;
    if (step.hook == Hook::kIngress || step.hook == Hook::kEgress) {
      const Interface device = step.hook == Hook::kIngress ? *step.in : context_.OutDevice(step, packet);
      const Tristate bound = BoundTo(base, device, packet.general);
      if (bound == Tristate::kNo) {
        passed.push_back(std::move(one));
        return;
      }
      if (bound == Tristate::kUnknown) {
        AddUncertainty(packet, entry, step.hook, "the device that the packet passes");
        Keep(passed, one, step.hook);
      }
    }
    const bool nat = base.type == ChainType::kNat;
    if (nat) {
      const bool leaving = LeavesNat(step.hook);
      if (packet.tracking != PacketTracking::kNew || (leaving ? packet.source_decided : packet.destination_decided)) {
        passed.push_back(std::move(one));
        return;
      }
      const Chain* chain = evaluator_.GetChain(*entry.table, entry.chain->name);
      if (chain == nullptr || chain->contents == Contents::kNotRead) {
        PassUnreadNat(step, entry, leaving, std::move(one), passed);
        return;
      }
    }
    const Packet before = packet;
    const HookContext context = context_.At(step, packet);
    for (ChainResult& result : evaluator_.RunBaseChain(*entry.table, *entry.chain, context, std::move(one.packet))) {
      if (drops_ == DropsOnTheWay::kAreIgnored &&
          (result.kind == ChainResult::Kind::kDrop || result.kind == ChainResult::Kind::kReject)) {
        result.kind = ChainResult::Kind::kAccept;
      }
      if (result.kind != ChainResult::Kind::kAccept && result.kind != ChainResult::Kind::kQueue) {
        End(std::move(result), step.hook);
        continue;
      }
      const bool newly_translated =
          result.packet.destination_translated != Tristate::kNo && before.destination_translated == Tristate::kNo;
      if (newly_translated && is_misrouted_ && is_misrouted_(result.packet)) {
        continue;
      }
      Packet on = result.packet;
      if (result.kind == ChainResult::Kind::kQueue) {
        on.uncertainty = std::make_shared<const Uncertainty>(Uncertainty{
            "a program that decides about queued packets", result.table, result.chain, result.rule, step.hook});
        result.packet = on;
        End(result, step.hook);
        on.mark = AbstractNumber<4>::Unknown();  // its verdict may carry a mark
      }
      if (step.hook == Hook::kOutput && (base.type == ChainType::kRoute || nat)) {
        const PacketRouting::Destination destination = routing_.Reroute(before, on);
        if (destination == PacketRouting::Destination::kNowhere) {
          EndUnrouted(std::move(on), kNoRoute);
          continue;
        }
        if (destination == PacketRouting::Destination::kMaybeNowhere) {
          AddUncertainty(on, entry, step.hook, "whether this host has a route for what rules make of it");
          EndUnrouted(on, kNoRoute);
        }
      }
      Keep(passed, {std::move(on), {std::move(result), step.hook}}, step.hook);
    }
  }

  // A nat chain that nobody read. It translates, or it does not; that it drops is not assumed: x_tables' own tools
  // refuse that. No rule of it singles out the representative connection.
  void PassUnreadNat(const HookStep& step, const HookEntry& entry, bool leaving, InFlightPacket one,
                     std::vector<InFlightPacket>& passed) {
    if (!one.packet.general) {
      AddUncertainty(one.packet, entry, step.hook, "address translation");
      InFlightPacket translated = one;
      Packet& packet = translated.packet;
      const std::size_t size = packet.family == IpFamily::kIpv4 ? 4 : 16;
      const std::size_t first = (packet.family == IpFamily::kIpv4 ? 12 : 8) + (leaving ? 0 : size);
      std::fill_n(packet.network.begin() + static_cast<std::ptrdiff_t>(first), size, AbstractByte::Unknown());
      std::fill_n(packet.transport.begin() + (leaving ? 0 : 2), 2, AbstractByte::Unknown());
      (leaving ? packet.source_kind : packet.destination_kind) = AddressKind::kUnknown;
      (leaving ? packet.source_translated : packet.destination_translated) = Tristate::kUnknown;
      (leaving ? packet.source_decided : packet.destination_decided) = true;
      packet.rerouted = packet.rerouted || step.hook == Hook::kOutput;
      Keep(passed, std::move(translated), step.hook);
    }
    Keep(passed, std::move(one), step.hook);
  }

  void Keep(std::vector<InFlightPacket>& in_flight, InFlightPacket one, Hook hook) {
    for (InFlightPacket& each : in_flight) {
      if (each.packet.TakeIn(one.packet)) {
        return;
      }
    }
    constexpr std::size_t kMostInFlight = 64;
    if (in_flight.size() >= kMostInFlight) {
      End({ChainResult::Kind::kUnknown, std::move(one.packet), nullptr, nullptr, nullptr, "too many possible packets"},
          hook);
      return;
    }
    in_flight.push_back(std::move(one));
  }

  void End(ChainResult result, Hook hook) { ends_.push_back({std::move(result), hook}); }

  ChainEvaluator& evaluator_;
  const Connection& connection_;
  PacketKind kind_;
  PacketTracking looked_up_;
  const PacketPathSettings& settings_;
  DropsOnTheWay drops_;
  const IsMisrouted& is_misrouted_;
  const HookSteps steps_{evaluator_.GetRuleset(), connection_, kind_, settings_};
  const StepContext context_{connection_, kind_, settings_, steps_};
  const PacketRouting routing_{evaluator_.Facts(), connection_, settings_};
  const bool nat_active_ = HasNatChain(evaluator_.GetRuleset(), connection_.family);
  std::vector<TraversalEnd> ends_;
};

}  // namespace

const char* const kTranslationLeads = "where address translation leads";
const char* const kChainOrder = "the order of chains of one priority (`nft list hooks` tells)";

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
                                        Packet packet, PacketTracking looked_up, const PacketPathSettings& settings,
                                        DropsOnTheWay drops, const IsMisrouted& is_misrouted) {
  evaluator.ResetBudget();
  std::vector<TraversalEnd> ends =
      Walk(evaluator, connection, kind, looked_up, settings, drops, is_misrouted).Run(std::move(packet));
  if (evaluator.Observer() != nullptr && connection.within != nullptr) {
    evaluator.Observer()->OnEnds(connection, kind, ends);
  }
  return ends;
}

}  // namespace finwait::firewall::eval
