#include "exporter/diagnosis/connection_facts.h"

#include <memory>
#include <utility>

#include "exporter/diagnosis/forwarded_facts.h"
#include "exporter/diagnosis/route_facts.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::facts::FactQuery;
using firewall::facts::HopLimitKey;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::Socket;
using firewall::facts::SocketKey;

// What rules can ask of a socket; of one that is not there, nothing but what the list shows.
void Describe(const Socket* socket, firewall::eval::SocketFacts& described) {
  if (socket == nullptr) {
    return;
  }
  described.mark = socket->mark;
  described.type_of_service = socket->type_of_service;
  described.held = !socket->orphan;
  described.timestamps = socket->timestamps;
  described.transparent = socket->transparent;
  described.control_group = socket->control_group;
  described.class_or_priority = socket->class_or_priority;
  described.priority = socket->priority;
  described.user = described.held ? std::optional(socket->user) : std::nullopt;
}

// The time to live of what a socket sends through `device`, which IP_TTL would change: nobody tells that.
std::optional<std::uint8_t> TimeToLive(IpFamily family, const std::optional<std::string>& device,
                                       const std::optional<std::uint8_t>& of_route, FactQuery& facts) {
  if (of_route || (family == IpFamily::kIpv6 && !device)) {
    return of_route;
  }
  const auto* limit =
      facts.FindValue<std::uint64_t>(HopLimitKey{family, family == IpFamily::kIpv6 ? *device : std::string()});
  return limit != nullptr ? std::optional(static_cast<std::uint8_t>(*limit)) : std::nullopt;
}

// How routing is asked for the socket's packets: by no more than it asks for itself, so that many sockets share one
// answer. Nothing where it hangs on what is not known.
std::optional<RouteKey> RoutingOf(const ListedSocket& listed, const Socket* socket, FactQuery& facts) {
  const firewall::facts::Fact* found = facts.Find(NamespaceKey{listed.local.address.Family()});
  if (found == nullptr) {
    return std::nullopt;
  }
  const NamespaceFacts nothing_told;
  const auto* told = found->As<NamespaceFacts>();
  const NamespaceFacts& settings = told != nullptr ? *told : nothing_told;
  RouteKey key;
  key.source = listed.local.address;
  key.destination = listed.peer.address;
  if (settings.routes_by_ports.value_or(true)) {
    key.source_port = listed.local.port;
    key.destination_port = listed.peer.port;
  }
  if (settings.routes_by_mark.value_or(true)) {
    if (socket == nullptr || !socket->mark) {
      return std::nullopt;
    }
    key.mark = *socket->mark;
  }
  if (settings.routes_by_user.value_or(true)) {
    // An orphan's owner is not told, and the kernel routes by the one that it had.
    if (socket == nullptr || socket->orphan) {
      return std::nullopt;
    }
    key.user = socket->user;
  }
  if (settings.routes_by_type_of_service.value_or(true)) {
    if (socket == nullptr || !socket->type_of_service) {
      return std::nullopt;
    }
    key.type_of_service = *socket->type_of_service & RouteKey::kWithoutEcn;
    if (listed.local.address.Family() == IpFamily::kIpv6 && key.type_of_service != 0) {
      return std::nullopt;  // tcp_v6_connect() routes by it, inet6_csk_route_socket() later no more
    }
  }
  if (socket != nullptr) {
    key.bound_device = socket->bound_device;
    if (socket->transparent.value_or(false) && !IsOwn(facts, listed.local.address)) {
      key.source.reset();  // it may send from any address, which routing would else refuse
    }
  }
  return key;
}

// Whether packets to the address of a socket here are not for this host any more, where they come in on `device`. VRFs
// have addresses of their own, and rules may mark what comes in for a table that has it.
bool HasLostAddress(const ListedSocket& listed, const Socket& socket, const firewall::facts::Interface& device,
                    FactQuery& facts) {
  if (socket.bound_device != 0 || socket.transparent.value_or(true) || !device.index) {
    return false;
  }
  RouteKey key;
  key.destination = listed.local.address;
  const firewall::facts::Fact* sent = facts.Find(key);
  if (sent == nullptr || sent->Why() != nullptr || IsOwn(facts, listed.local.address)) {
    return false;
  }
  const auto* settings = facts.FindValue<NamespaceFacts>(NamespaceKey{listed.local.address.Family()});
  if (settings == nullptr || settings->routes_by_mark.value_or(true)) {
    return false;
  }
  key.source = listed.peer.address;
  key.arriving_on = *device.index;
  const firewall::facts::Fact* received = facts.Find(key);
  const auto* route = received != nullptr ? received->As<std::shared_ptr<const Route>>() : nullptr;
  return received != nullptr && received->Why() == nullptr && (route == nullptr || !(*route)->local);
}

// What the entry of a connection tells of it beyond nat.
void AddTranslation(const ListedSocket& listed, const Socket* socket, FactQuery& facts, Connection& connection) {
  connection.translated = firewall::eval::Tristate::kYes;
  if (listed.translation == nullptr) {
    return;
  }
  Connection::BeyondNat beyond{listed.translation->local, listed.translation->peer};
  if (!connection.routing) {  // what is sent to an address of this host's own may be for another one
    connection.routing = RoutingOf(listed, socket, facts);
  }
  RouteKey key = connection.routing.value_or(RouteKey());
  key.destination = beyond.peer.address;
  key.source_port.reset();
  key.destination_port.reset();
  if (const Route* route = FindRoute(facts, key)) {
    beyond.egress = route->egress;
    beyond.egress_port = route->egress_port;
    beyond.peer_is_own = route->local;
  }
  connection.beyond_nat = std::move(beyond);
}

// Of the other addresses of 127.0.0.0/8 routing tells: net.ipv4.conf.DEVICE.route_localnet lets them lie on a network.
bool IsAtHomeEverywhere(const IpAddress& address) {
  static const IpAddress first = *IpAddress::Parse("127.0.0.1");
  return address.IsLoopback() && (address.Family() == IpFamily::kIpv6 || address == first);
}

}  // namespace

bool IsOwn(FactQuery& facts, const IpAddress& address, std::uint32_t device) {
  if (address.IsLoopback()) {
    return true;
  }
  const Route* route = OwnRoute(facts, address, device);
  return route != nullptr && route->local;
}

bool IsLoopback(const ListedSocket& socket) {
  const bool surely = IsAtHomeEverywhere(socket.local.address) || IsAtHomeEverywhere(socket.peer.address);
  return (socket.peer.address.IsLoopback() && surely) || socket.local.address == socket.peer.address;
}

Connection ConnectionByEnds(const ListedSocket& socket) {
  Connection connection;
  connection.family = socket.local.address.Family();
  connection.path_kind = IsLoopback(socket) ? PathKind::kLoopback : PathKind::kLocal;
  connection.local = socket.local;
  connection.peer = socket.peer;
  connection.local_socket.mark.reset();
  connection.peer_socket.mark.reset();
  connection.local_socket.user = socket.user;
  connection.local_socket.held = socket.held;
  connection.local_socket.control_group = socket.control_group;
  return connection;
}

Connection ConnectionOf(const ListedSocket& listed, FactQuery& facts) {
  Connection connection = ConnectionByEnds(listed);
  const Socket* socket = facts.FindValue<Socket>(SocketKey{listed.local, listed.peer});
  Describe(socket, connection.local_socket);
  if (socket != nullptr && socket->opened_here) {
    connection.opened_by = *socket->opened_here ? OpenedBy::kLocal : OpenedBy::kPeer;
  }
  std::optional<std::uint8_t> hop_limit;
  // Between two sockets of one VRF packets go by the VRF, and addresses alone do not tell.
  if (connection.path_kind == PathKind::kLocal || (socket != nullptr && socket->bound_device != 0)) {
    connection.routing = RoutingOf(listed, socket, facts);
    const firewall::facts::Fact* found = connection.routing ? facts.Find(*connection.routing) : nullptr;
    connection.unroutable = found != nullptr && found->IsAbsent();
    if (const auto* route = found != nullptr ? found->As<std::shared_ptr<const Route>>() : nullptr) {
      connection.path_kind = (*route)->local ? PathKind::kLoopback : PathKind::kLocal;
      connection.egress = (*route)->egress;
      connection.egress_port = (*route)->egress_port;
      connection.masquerade = (*route)->masquerade;
      connection.next_hop = (*route)->gateway.value_or(listed.peer.address);
      connection.realm = (*route)->realm;
      hop_limit = (*route)->hop_limit;
    }
    connection.address_gone =
        socket != nullptr && !connection.unroutable && HasLostAddress(listed, *socket, connection.egress, facts);
  }
  if (connection.path_kind == PathKind::kLoopback) {
    Describe(facts.FindValue<Socket>(SocketKey{listed.peer, listed.local}), connection.peer_socket);
    connection.local_socket.time_to_live = connection.peer_socket.time_to_live = TimeToLive(
        connection.family, connection.egress.kind == "vrf" ? connection.egress.name : firewall::eval::Loopback().name,
        std::nullopt, facts);
  } else {
    connection.local_socket.time_to_live = TimeToLive(connection.family, connection.egress.name, hop_limit, facts);
  }
  if (listed.translated) {
    AddTranslation(listed, socket, facts, connection);
  }
  return connection;
}

Result<Connection> ConnectionBetween(const ListedSocket& listed, FactQuery& facts) {
  const Endpoint& local = listed.local;
  const Endpoint& peer = listed.peer;
  // A socket here may have an address that is not this host's (a transparent proxy's), or not any more.
  if (facts.FindValue<Socket>(SocketKey{local, peer}) != nullptr) {
    return ConnectionOf(listed, facts);
  }
  const std::size_t missed = facts.Missed();
  const bool peer_is_own = IsOwn(facts, peer.address);
  const bool local_is_own = IsOwn(facts, local.address);
  if (local_is_own) {
    return ConnectionOf(listed, facts);
  }
  if (peer_is_own && facts.Missed() == missed) {
    return Fail(FailureReason::kUnsupported, "LOCAL, " + local.address.Text() +
                                                 ", is not an address of this host, but PEER, " + peer.address.Text() +
                                                 ", is: give this host's end first");
  }
  ForwardedConnection forwarded;
  forwarded.local = local;
  forwarded.peer = peer;
  return ConnectionThrough(forwarded, false, facts);
}

}  // namespace finwait::diagnosis
