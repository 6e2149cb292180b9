#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <set>

#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/timeout_in_force.h"

namespace finwait::diagnosis {

/// What conntrack entries tell of how long sockets have been silent. A keepalive of the peer's leaves no time in
/// tcp_info, but refreshes the entry like every packet: what the entry was given, less what remains of it, is the
/// silence. The table must outlive it. Not thread-safe.
class EntryEvidence {
 public:
  EntryEvidence(const kernel::SocketTable& sockets, const IdleContext& context)
      : sockets_(sockets), context_(context) {}

  struct SilenceBound {
    std::uint32_t seconds = 0;  ///< at most
    bool is_sure = false;       ///< no packet came since that tcp_info does not date
    bool is_longer = false;     ///< more remains of the entry than the sysctl gives: it has a timeout of its own
  };
  /// Of an open socket that has been silent for `told` seconds by tcp_info. `was_longer`: what an earlier sample found.
  SilenceBound Of(const kernel::TcpSocket& socket, std::uint32_t told, bool was_longer);

 private:
  // A port, and whether it is the peer's.
  using Service = std::pair<std::uint16_t, bool>;

  /// Whether an entry of another connection to the same service was given more than the sysctl: then so was, perhaps,
  /// one that looks fresh by the sysctl.
  bool ServiceHasLonger(const kernel::TcpSocket& socket);

  const kernel::SocketTable& sockets_;
  IdleContext context_;
  std::optional<std::set<Service>> longer_;  // read when it is asked for: few hosts have peers with keepalives
};

}  // namespace finwait::diagnosis
