#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::diagnosis {

/// A socket as the list of sockets shows it.
struct ListedSocket {
  Endpoint local;
  Endpoint peer;
  std::optional<std::uint32_t> user;                            ///< its owner
  bool held = true;                                             ///< a process holds it, as far as the list tells
  std::optional<std::uint64_t> control_group = {};              ///< cgroup v2, by its number; nothing: not listed
  std::uint32_t device = 0;                                     ///< that it is bound to (index); 0: none, or not listed
  bool translated = false;                                      ///< its entry is there, and says that nat translates it
  std::shared_ptr<const kernel::Translation> translation = {};  ///< to which ends; null: not told

  ListedSocket(const Endpoint& local_end, const Endpoint& peer_end) : local(local_end), peer(peer_end) {}
  explicit ListedSocket(const kernel::TcpSocket& socket)
      : local(socket.local),
        peer(socket.peer),
        user(socket.uid),
        held(socket.IsOpen()),
        control_group(socket.cgroup_id),
        device(socket.device),
        translated(socket.entry.source_nat || socket.entry.destination_nat),
        translation(socket.entry.translation) {}
};

/// Whether both ends are surely this host's, by their addresses alone: of others routing tells.
bool IsLoopback(const ListedSocket& socket);

/// The connection by what the list alone tells.
firewall::eval::Connection ConnectionByEnds(const ListedSocket& socket);

/// The connection of a socket of this host, with all that sock_diag and routing tell of it: the one builder for
/// `explain`, `check` and the service. What is missing is noted in `facts`.
firewall::eval::Connection ConnectionOf(const ListedSocket& socket, firewall::facts::FactQuery& facts);

/// Whether `address` is one of this host's. `device`: that the socket is bound to which asks (a VRF has addresses of
/// its own), by its index; 0: none.
bool IsOwn(firewall::facts::FactQuery& facts, const IpAddress& address, std::uint32_t device = 0);

/// The same for any connection, which need not exist: of this host's, over loopback, or one that it forwards. An error
/// where the two ends were given in the wrong order.
Result<firewall::eval::Connection> ConnectionBetween(const ListedSocket& socket, firewall::facts::FactQuery& facts);

}  // namespace finwait::diagnosis
