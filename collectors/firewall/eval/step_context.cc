#include "collectors/firewall/eval/step_context.h"

#include <optional>

namespace finwait::firewall::eval {
namespace {

bool ComesIn(const HookStep& step) {
  return step.hook == Hook::kIngress || step.hook == Hook::kPrerouting || step.hook == Hook::kInput;
}

}  // namespace

HookContext StepContext::At(const HookStep& step, const Packet& packet) const {
  HookContext context;
  context.hook = step.hook;
  context.path_kind = connection_.path_kind;
  context.has_link_header = step.has_link_header;
  if (step.in != nullptr) {
    context.in = DeviceView::Input(*step.in);
  }
  if (step.out != nullptr) {
    context.out = DeviceView::Output(OutDevice(step, packet));
  }
  if (step.layer == Layer::kBridge) {
    context.bridge = DeviceView::Input(*step.bridge);
  }
  context.socket = SocketAt(step);
  context.socket_attached = AttachedAt(step);
  context.source_routes_to_input = SourceRoutesToInput();
  context.route_to_destination = context.out;
  if (connection_.path_kind == PathKind::kForwarded) {
    DescribePassage(step, packet, context);
  } else if (ComesIn(step) && steps_.ArrivesByBridge()) {
    // What br_netfilter shows to IP's rules before the bridge receives it keeps the port (nf_bridge_info).
    context.has_bridge_port = settings_.bridge_calls_rules;
    context.bridge_port = DeviceView::Input(steps_.ArrivalPort());
  }
  context.route_to_source = context.source_routes_to_input == Tristate::kYes ? context.in : DeviceView();
  const bool is_routed = step.hook == Hook::kOutput || step.hook == Hook::kForward || step.hook == Hook::kPostrouting;
  const bool leaves = IsOutgoing(kind_) || connection_.path_kind == PathKind::kForwarded;
  if (is_routed && leaves && connection_.path_kind != PathKind::kLoopback) {
    std::optional<IpAddress> masquerade;
    if (!packet.rerouted && IsOutgoing(kind_)) {
      masquerade = connection_.masquerade;
      context.next_hop = connection_.next_hop;
      context.realm = connection_.realm;
    } else if (packet.rerouted && packet.new_route != nullptr && !packet.new_route->local) {
      masquerade = packet.new_route->masquerade;
      context.next_hop = packet.new_route->gateway;
      context.realm = packet.new_route->realm;
    }
    context.masquerade = step.hook == Hook::kPostrouting ? masquerade : std::nullopt;
  }
  return context;
}

// The socket that sent the packet or, where it comes in, that will receive it.
const SocketFacts* StepContext::SocketAt(const HookStep& step) const {
  const bool of_local_end = IsOutgoing(kind_) != ComesIn(step);
  switch (connection_.path_kind) {
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
Tristate StepContext::AttachedAt(const HookStep& step) const {
  if (connection_.path_kind == PathKind::kForwarded) {
    return Tristate::kNo;
  }
  if (!ComesIn(step)) {
    return Tristate::kYes;
  }
  const bool from_outside = connection_.path_kind == PathKind::kLocal && !IsOutgoing(kind_);
  return step.hook == Hook::kInput && step.layer == Layer::kIp && from_outside ? settings_.early_demultiplexing
                                                                               : Tristate::kNo;
}

void StepContext::DescribePassage(const HookStep& step, const Packet& packet, HookContext& context) const {
  const Passage& passage = connection_.passage;
  if (step.out == nullptr && !packet.general) {
    // Asked before routing: what the connection's own route says of the destination that the packet still has.
    const Interface& out = IsOutgoing(kind_) ? connection_.egress : steps_.Arrival();
    context.route_to_destination = DeviceView::Output(out);
  }
  context.bridged = passage.bridged;
  const bool from_behind = IsOutgoing(kind_) && passage.bridge_port.has_value();
  if (passage.bridged) {  // whoever sends it is behind a port, which stays known until it leaves by another
    context.has_bridge_port = passage.bridge_calls_rules;
    context.bridge_port = DeviceView::Input(from_behind ? *passage.bridge_port : steps_.AnyPort());
  } else if (from_behind && step.in != nullptr) {
    context.has_bridge_port = passage.bridge_calls_rules;
    context.bridge_port = DeviceView::Input(*passage.bridge_port);
  } else if (passage.bridge_calls_rules == Tristate::kNo) {
    context.has_bridge_port = Tristate::kNo;
  }
}

Interface StepContext::OutDevice(const HookStep& step, const Packet& packet) const {
  const bool forwarded = connection_.path_kind == PathKind::kForwarded;
  if (step.layer != Layer::kIp) {
    const bool elsewhere = packet.rerouted && packet.new_route != nullptr && !forwarded;
    return elsewhere ? packet.new_route->egress_port.value_or(steps_.AnyPort()) : *step.out;
  }
  if (step.untracked || !packet.rerouted ||
      (!forwarded && step.hook != Hook::kPostrouting && step.hook != Hook::kEgress)) {
    return *step.out;
  }
  if (packet.new_route == nullptr && forwarded && packet.destination_translated == Tristate::kNo) {
    return *step.out;  // not asked for: what the connection says holds
  }
  if (packet.new_route == nullptr) {
    return {};
  }
  return packet.new_route->local ? steps_.LoopbackDevice() : packet.new_route->egress;
}

// Whether packets come in on the device that routing picks for their source.
Tristate StepContext::SourceRoutesToInput() const {
  if (connection_.path_kind == PathKind::kForwarded) {
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

}  // namespace finwait::firewall::eval
