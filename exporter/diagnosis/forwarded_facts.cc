#include "exporter/diagnosis/forwarded_facts.h"

#include <vector>

#include "collectors/firewall/read/devices.h"
#include "exporter/diagnosis/route_facts.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::Interface;
using firewall::eval::PathKind;
using firewall::eval::Tristate;
using firewall::facts::FactQuery;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;

Tristate Same(const Interface& a, const Interface& b) {
  return a.index && b.index ? firewall::eval::TristateOf(*a.index == *b.index) : Tristate::kUnknown;
}

}  // namespace

std::optional<HostSide> HostSideOf(const kernel::NamespaceLink& joined) {
  if (!joined.device) {
    return NoHostSide();
  }
  if (!joined.master || joined.master->kind == "vrf") {
    const kernel::Link* const vrf = joined.master ? &*joined.master : nullptr;
    return HostSide{firewall::read::DeviceOf(*joined.device, vrf), std::nullopt};
  }
  if (joined.master->kind != "bridge") {
    return std::nullopt;
  }
  return HostSide{firewall::read::DeviceOf(*joined.master, nullptr), firewall::read::DeviceOf(*joined.device, nullptr)};
}

const char* const kNoHostSide =
    "no device of this host leads to its namespace: it passes no rules here, or another namespace's too, or it is "
    "behind "
    "an ipvlan in mode l3 or l3s, whose packets pass OUTPUT and POSTROUTING here";

HostSide NoHostSide() {
  HostSide none;
  none.device.index = 0;
  return none;
}

bool PassesNoHook(const ForwardedConnection& forwarded) {
  return forwarded.host_side && forwarded.host_side->device.index == 0U;
}

Connection ConnectionThrough(const ForwardedConnection& forwarded, bool had_entry, FactQuery& facts) {
  Connection connection;
  connection.family = forwarded.local.address.Family();
  connection.path_kind = PathKind::kForwarded;
  connection.local = forwarded.local;
  connection.peer = forwarded.peer;
  connection.opened_by = forwarded.opened_by;
  // Its VRF has a table of its own.
  const bool in_vrf = forwarded.host_side && forwarded.host_side->device.vrf;
  const std::uint32_t vrf = in_vrf ? forwarded.host_side->device.vrf->index : 0;
  const Route* back = OwnRoute(facts, forwarded.local.address, vrf);
  if (forwarded.host_side) {
    connection.ingress = forwarded.host_side->device;
    connection.passage.bridge_port = forwarded.host_side->port;
  } else {
    connection.ingress = back != nullptr ? back->egress : Interface();
  }
  if (back != nullptr) {
    connection.passage.symmetric = Same(back->egress, *connection.ingress);
  }
  if (connection.passage.symmetric == Tristate::kNo) {  // its namespace has another device as well, or one of many
    connection.ingress = Interface();
    connection.passage.bridge_port.reset();
  }
  const auto* settings = facts.FindValue<NamespaceFacts>(NamespaceKey{connection.family});
  if (settings != nullptr && settings->bridge_calls_rules) {
    connection.passage.bridge_calls_rules = firewall::eval::TristateOf(*settings->bridge_calls_rules);
  }
  const Route* to_peer = OwnRoute(facts, forwarded.peer.address, vrf);
  if (to_peer != nullptr) {
    connection.passage.peer_is_own = to_peer->local;
    // What has an entry while bridges call no rules comes by IP: its end has a gateway, which is this host.
    const bool is_routed = had_entry && connection.passage.bridge_calls_rules == Tristate::kNo;
    // Behind the same bridge and no gateway between: the two ends take each other for neighbours, as their prefix is
    // the bridge's.
    connection.passage.bridged = connection.ingress->kind == "bridge" && !to_peer->local && to_peer->on_link &&
                                 !is_routed && Same(to_peer->egress, *connection.ingress) == Tristate::kYes;
  }
  if (connection.passage.bridged) {
    connection.egress = *connection.ingress;
    return connection;
  }
  RouteKey key;
  key.source = forwarded.local.address;
  key.destination = forwarded.peer.address;
  if (!connection.ingress->index) {
    if (to_peer != nullptr && !to_peer->local) {  // the peer's packets come in there, and may have no route back
      connection.egress = to_peer->egress;
      connection.routing = key;
    }
    return connection;
  }
  key.arriving_on = *connection.ingress->index;
  if (settings == nullptr || settings->routes_by_ports.value_or(true)) {
    key.source_port = forwarded.local.port;
    key.destination_port = forwarded.peer.port;
  }
  connection.routing = key;
  if (settings == nullptr || settings->routes_by_type_of_service.value_or(true)) {
    return connection;  // an entry does not tell it
  }
  if (const Route* forth = FindRoute(facts, key); forth != nullptr && !forth->local) {
    connection.egress = forth->egress;
    connection.egress_port = forth->egress_port;
    connection.masquerade = forth->masquerade;
    connection.next_hop = forth->gateway.value_or(forwarded.peer.address);
    connection.realm = forth->realm;
  }
  return connection;
}

const char* WhyItMayPassBy(const Connection& connection) {
  if (connection.passage.symmetric == Tristate::kNo) {
    return "its address is reached by another device than its namespace is joined by: its packets may pass this host's "
           "rules by";
  }
  const bool same_bridge =
      connection.ingress->kind == "bridge" && Same(connection.egress, *connection.ingress) == Tristate::kYes;
  if (same_bridge && !connection.passage.bridged && connection.passage.bridge_calls_rules != Tristate::kYes) {
    return "both its ends are behind one bridge: whether this host routes its packets, or that bridge passes them to a "
           "gateway";
  }
  return nullptr;
}

}  // namespace finwait::diagnosis
