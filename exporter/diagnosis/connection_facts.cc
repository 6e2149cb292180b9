#include "exporter/diagnosis/connection_facts.h"

#include <chrono>
#include <optional>

#include "collectors/kernel/find_socket.h"
#include "collectors/kernel/route.h"
#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::Interface;
using firewall::eval::NewRoute;
using firewall::eval::PathKind;
using firewall::eval::SocketFacts;

// Where packets to `address` go from here; nothing where there is no route.
std::optional<kernel::Route> RouteTo(const kernel::Host& host, const std::optional<IpAddress>& source,
                                     const IpAddress& address, Deadline deadline,
                                     std::optional<std::uint32_t> arriving_on = std::nullopt) {
  auto route = FindRoute(host, source, address, deadline, arriving_on);
  return route ? std::optional(std::move(*route)) : std::nullopt;
}

bool IsOwn(const kernel::Host& host, const IpAddress& address, Deadline deadline) {
  const auto route = RouteTo(host, std::nullopt, address, deadline);
  return address.IsLoopback() || (route && route->local);
}

Interface DeviceOf(const std::optional<kernel::Route>& route) {
  return route && !route->local ? CloseEvaluator::DeviceOf(*route) : Interface{};
}

std::optional<NewRoute> RouteAnew(const kernel::Host& host, const IpAddress& source, const IpAddress& destination) {
  const Deadline deadline = Deadline::After(std::chrono::seconds(1));
  const auto route = RouteTo(host, source, destination, deadline);
  if (!route) {
    return std::nullopt;
  }
  return NewRoute{route->local, DeviceOf(route),
                  route->local ? std::nullopt : MasqueradeAddress(host, *route, destination, deadline)};
}

// Of a socket that is not there nothing is known but that a process would hold it.
SocketFacts FactsOf(const kernel::Host& host, const Endpoint& local, const Endpoint& peer, Deadline deadline) {
  SocketFacts facts;
  facts.mark.reset();
  const auto socket = FindSocket(host, local, peer, deadline);
  if (!socket || !*socket) {
    return facts;
  }
  facts.mark = (*socket)->mark;
  facts.type_of_service = (*socket)->type_of_service;
  facts.held = !(*socket)->orphan;
  if (facts.held) {
    facts.user = (*socket)->uid;
  }
  return facts;
}

}  // namespace

Result<Connection> FindConnection(const kernel::Host& host, const Endpoint& local, const Endpoint& peer,
                                  Deadline deadline) {
  Connection connection;
  connection.family = local.address.Family();
  connection.local = local;
  connection.peer = peer;
  const bool peer_is_own = IsOwn(host, peer.address, deadline);
  if (!IsOwn(host, local.address, deadline)) {
    if (peer_is_own) {
      return Fail(FailureReason::kUnsupported, "LOCAL, " + local.address.Text() +
                                                   ", is not an address of this host, but PEER, " +
                                                   peer.address.Text() + ", is: give this host's end first");
    }
    connection.journey = PathKind::kForwarded;
    const auto back = RouteTo(host, std::nullopt, local.address, deadline);
    connection.ingress = DeviceOf(back);
    if (back) {
      const auto forth = RouteTo(host, local.address, peer.address, deadline, back->interface_index);
      connection.egress = DeviceOf(forth);
      connection.masquerade = forth ? MasqueradeAddress(host, *forth, peer.address, deadline) : std::nullopt;
    }
    return connection;
  }
  connection.local_socket = FactsOf(host, local, peer, deadline);
  if (peer_is_own) {
    connection.journey = PathKind::kLoopback;
    connection.peer_socket = FactsOf(host, peer, local, deadline);
    return connection;
  }
  connection.route_anew = [host, source = local.address](const IpAddress& destination) {
    return RouteAnew(host, source, destination);
  };
  const auto route = RouteTo(host, local.address, peer.address, deadline);
  connection.egress = DeviceOf(route);
  if (route) {
    connection.masquerade = MasqueradeAddress(host, *route, peer.address, deadline);
  }
  return connection;
}

}  // namespace finwait::diagnosis
