#pragma once

#include <vector>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/facts/fact.h"

namespace finwait::firewall::eval {

/// What the network namespace does to packets besides its rules.
struct PacketPathSettings {
  bool tcp_loose = true;  ///< net.netfilter.nf_conntrack_tcp_loose: a bare ACK without an entry makes one
  /// conntrack's hooks run for the packet's family.
  bool conntrack_active = true;
  /// The entry of a packet that has one is in conntrack's table: it can be asked for by the packet's ends.
  bool entry_is_listed = false;
  /// net.ipv4.ip_early_demux and tcp_early_demux: at the input hook a packet knows the socket that will receive it.
  Tristate early_demultiplexing = Tristate::kUnknown;
  /// Routing looks at packet marks (`ip rule ... fwmark`).
  Tristate routes_by_mark = Tristate::kUnknown;
  /// Routing looks at the type of service (`ip rule ... tos`, `ip route ... tos`).
  Tristate routes_by_type_of_service = Tristate::kUnknown;
  /// Routing looks at ports (`ip rule ... dport`, multipath hashes).
  Tristate routes_by_ports = Tristate::kUnknown;
  /// Whatever this host sends has a route (facts::NamespaceFacts::routes_everything).
  Tristate routes_everything = Tristate::kYes;
  /// net.ipv6.conf.all.forwarding: kNo drops what others are to get. net.ipv4.ip_forward: there the route tells.
  Tristate forwards = Tristate::kUnknown;
  /// br_netfilter has the prerouting rules of IP called before a bridge's input hook.
  Tristate bridge_calls_rules = Tristate::kUnknown;
  /// What may drop packets and is no rule; null: nothing is, or what it does counts for nothing. Not owned.
  const std::vector<facts::ForeignProgram>* programs = nullptr;
};

}  // namespace finwait::firewall::eval
