#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::report {

/// Stuck sockets that share an end, the cause, the rule and the owner: what one line can say about all of them.
struct SocketGroup {
  Endpoint end;         ///< the peer's end that they share, or this host's
  bool at_peer = true;  ///< `end` is the peer's
  std::optional<diagnosis::Cause> cause;
  std::shared_ptr<const diagnosis::DropSite> site;
  bool orphan = false;                                     ///< no process holds them
  std::uint32_t uid = 0;                                   ///< of the process; only where one holds them
  std::shared_ptr<const kernel::namespaces::Owner> owner;  ///< null: cannot be told
  std::uint64_t sockets = 0;
  double oldest_seconds = 0;
  std::uint32_t most_tries = 0;
  std::size_t example = 0;  ///< the position of the oldest one in what was grouped
};

/// Groups `sockets`, which are sorted from the oldest on, by the peer's end, or by this host's where that makes fewer
/// groups (a service whose clients each have a port of their own). Largest group first; every socket is in one group.
std::vector<SocketGroup> GroupStuckSockets(const std::vector<diagnosis::StuckSocket>& sockets);

/// "no process", "uid 33, pod shop/cart-0": who holds the sockets, and whose they are. May hold any bytes.
std::string OwnerText(const SocketGroup& group);

}  // namespace finwait::report
