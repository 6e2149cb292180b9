#include "collectors/firewall/eval/hook_steps.h"

#include <linux/if_arp.h>

#include <algorithm>

namespace finwait::firewall::eval {
namespace {

Interface SomePort() {
  Interface port;
  port.type = ARPHRD_ETHER;
  return port;
}

bool HasTableOf(const Ruleset& ruleset, TableFamily family) {
  return std::any_of(ruleset.tables.begin(), ruleset.tables.end(),
                     [&](const Table& table) { return !table.dormant && table.family == family; });
}

// rt6_need_strict(): a VRF lets packets to such an address pass by.
bool IsLinkLocal(const std::optional<Endpoint>& end) {
  static const std::optional<IpAddress> prefix = IpAddress::Parse("fe80::");
  return end && end->address.CommonPrefix(*prefix) >= 10;
}

// ip_route_output_key_hash_rcu(), ip6_rt_get_dev_rcu(): in a VRF it is the VRF itself.
Interface LoopbackOf(const Connection& connection) {
  if (connection.path_kind == PathKind::kLoopback) {
    return connection.egress.kind == "vrf" ? connection.egress : Loopback();
  }
  return connection.egress.vrf ? VrfOf(connection.egress) : Loopback();
}

}  // namespace

Tristate IsBridge(const Interface& device, const Interface& port, bool general) {
  if (port.index) {
    return Tristate::kYes;
  }
  if (device.kind) {
    return TristateOf(*device.kind == "bridge");
  }
  return general ? Tristate::kNo : Tristate::kUnknown;
}

HookSteps::HookSteps(const Ruleset& ruleset, const Connection& connection, PacketKind kind,
                     const PacketPathSettings& settings)
    : connection_(connection),
      kind_(kind),
      settings_(settings),
      has_bridge_table_(HasTableOf(ruleset, TableFamily::kBridge)),
      arrival_(
          connection.ingress.value_or(connection.path_kind == PathKind::kForwarded ? Interface{} : connection.egress)),
      egress_vrf_(VrfOf(connection.egress)),
      arrival_vrf_(VrfOf(arrival_)),
      loopback_(LoopbackOf(connection)),
      any_port_(SomePort()),
      near_port_(connection.passage.bridge_port.value_or(any_port_)),
      far_port_(connection.egress_port.value_or(any_port_)) {}

std::vector<HookStep> HookSteps::InThroughLoopback() const {
  return {{Hook::kIngress, &loopback_, nullptr, true},
          {Hook::kPrerouting, &loopback_, nullptr, true},
          {Hook::kInput, &loopback_, nullptr, true}};
}

std::vector<HookStep> HookSteps::OfThisHost() const {
  const bool outgoing = IsOutgoing(kind_);
  switch (connection_.path_kind) {
    case PathKind::kLocal:
      if (outgoing) {
        const Interface* out = &connection_.egress;
        std::vector<HookStep> way;
        if (out->vrf && !IsLinkLocal(connection_.peer)) {  // l3mdev_ip_out(), vrf_ip_out(): before IP's own hooks
          way.push_back({Hook::kOutput, nullptr, &egress_vrf_, false, Layer::kIp, nullptr, true});
          way.push_back({Hook::kPostrouting, nullptr, &egress_vrf_, false, Layer::kIp, nullptr, true});
        }
        way.push_back({Hook::kOutput, nullptr, out});
        way.push_back({Hook::kPostrouting, nullptr, out});
        way.push_back({Hook::kEgress, nullptr, out, true});
        AddOutThroughBridge(out, &far_port_, way);
        return way;
      }
      return InFromOutside(&arrival_, &ArrivalPort());
    case PathKind::kLoopback:
      return {{Hook::kOutput, nullptr, &loopback_},           {Hook::kPostrouting, nullptr, &loopback_},
              {Hook::kEgress, nullptr, &loopback_, true},     {Hook::kIngress, &loopback_, nullptr, true},
              {Hook::kPrerouting, &loopback_, nullptr, true}, {Hook::kInput, &loopback_, nullptr, true}};
    case PathKind::kForwarded:
      break;
  }
  return {};
}

bool HookSteps::ArrivesByBridge() const {
  return connection_.path_kind == PathKind::kLocal && !IsOutgoing(kind_) &&
         IsBridge(arrival_, ArrivalPort(), connection_.general) == Tristate::kYes;
}

ForwardedWay HookSteps::Through() const {
  const bool outgoing = IsOutgoing(kind_);
  const Interface* in = outgoing ? &arrival_ : &connection_.egress;
  const Interface* out = outgoing ? &connection_.egress : &arrival_;
  const Interface* in_port = outgoing ? &near_port_ : &far_port_;
  const Interface* out_port = outgoing ? &far_port_ : &near_port_;
  if (connection_.passage.bridged) {
    return ThroughOneBridge(in, in_port, out, out_port);
  }
  ForwardedWay way;
  way.in = in;
  way.receiver = ReceiverOf(in);
  way.arrival = InFromOutside(in, in_port);
  way.arrival.pop_back();  // where it goes on to, routing decides
  way.onward = {{Hook::kForward, way.receiver, out, true},
                {Hook::kPostrouting, way.receiver, out, true},
                {Hook::kEgress, nullptr, out, true}};
  AddOutThroughBridge(out, out_port, way.onward);
  return way;
}

// What a bridge passes on never comes in over the bridge itself.
ForwardedWay HookSteps::ThroughOneBridge(const Interface* in, const Interface* in_port, const Interface* out,
                                         const Interface* out_port) const {
  ForwardedWay way;
  way.in = way.receiver = in;
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
    way.onward.push_back({Hook::kPostrouting, nullptr, out, true});  // br_nf_post_routing() names none it came in by
  }
  way.onward.push_back({Hook::kEgress, nullptr, out_port, true, Layer::kPort, in});
  return way;
}

// br_handle_frame(), br_pass_frame_up(), and what IP does then. br_netfilter has IP's prerouting rules called first.
std::vector<HookStep> HookSteps::InFromOutside(const Interface* in, const Interface* port) const {
  std::vector<HookStep> way;
  const HookStep prerouting = {Hook::kPrerouting, in, nullptr, true};
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
  if (!called || in->vrf) {  // ip_sabotage_in() spares the ports of a VRF
    way.push_back(prerouting);
  }
  const Interface* const receiver = ReceiverOf(in);
  if (receiver != in && !IsLinkLocal(IsOutgoing(kind_) ? connection_.peer : connection_.local)) {
    way.push_back({Hook::kPrerouting, receiver, nullptr, true});  // vrf_l3_rcv(), once conntrack has looked it up
  }
  way.push_back({Hook::kInput, receiver, nullptr, true});
  return way;
}

// Once IP has taken it in, a packet is its VRF's (vrf_ip_rcv(), vrf_ip6_rcv()).
const Interface* HookSteps::ReceiverOf(const Interface* in) const {
  if (!in->vrf) {
    return in;
  }
  return in == &arrival_ ? &arrival_vrf_ : &egress_vrf_;
}

// br_dev_xmit(), __br_forward().
void HookSteps::AddOutThroughBridge(const Interface* out, const Interface* port, std::vector<HookStep>& way) const {
  if (HasBridgeHooks(*out, *port)) {
    way.push_back({Hook::kOutput, nullptr, port, true, Layer::kBridge, out});
    way.push_back({Hook::kPostrouting, nullptr, port, true, Layer::kBridge, out});
    way.push_back({Hook::kEgress, nullptr, port, true, Layer::kPort, out});
  }
}

// Whether anything may look at packets where they pass a bridge that `device` is.
bool HookSteps::HasBridgeHooks(const Interface& device, const Interface& port) const {
  return has_bridge_table_ || IsBridge(device, port, connection_.general) == Tristate::kYes;
}

}  // namespace finwait::firewall::eval
