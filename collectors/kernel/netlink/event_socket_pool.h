#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/bound_socket.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel::netlink {

/// Sockets for events with more room than net.core.rmem_max allows, made before system calls are filtered: who may ask
/// for more room later (SO_RCVBUFFORCE) may ask for any amount of the kernel's memory. Subscriptions use one after the
/// other. Thread-safe.
class EventSocketPool : public std::enable_shared_from_this<EventSocketPool> {
 public:
  /// One of NETLINK_NETFILTER for each of `buffers`, in bytes as Subscription has them.
  static Result<std::shared_ptr<EventSocketPool>> Make(std::span<const int> buffers);

  /// Subscribes over a socket of the size that is asked for where one is free, else over a new one, which has as much
  /// room as anybody's.
  Result<std::unique_ptr<EventSource>> Open(const Subscription& subscription);

 private:
  struct Wide {
    int bytes = 0;
    BoundSocket socket;
    bool taken = false;
  };

  EventSocketPool() = default;
  void Return(std::size_t position);

  std::mutex mutex_;  // for Wide::taken
  std::vector<Wide> sockets_;
};

}  // namespace finwait::kernel::netlink
