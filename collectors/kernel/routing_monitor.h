#pragma once

#include <memory>

#include "collectors/kernel/host.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel {

/// Tells whether anything has changed that routing hangs on: routes, `ip rule`, addresses, devices and filters of
/// tc. The kernel multicasts it, so that asking costs a read of an empty queue. Sysctls of routing (rp_filter,
/// fib_multipath_hash_policy) are not among it. Not thread-safe; use it in the namespace that `host` is bound to.
class RoutingMonitor {
 public:
  explicit RoutingMonitor(Host host) : host_(std::move(host)) {}

  /// Whether something has changed, or may have, since the last call; true the first time. Where the kernel cannot be
  /// heard, every call says so. Never blocks.
  bool HasChanged();

 private:
  Host host_;
  std::unique_ptr<netlink::EventSource> changes_;
};

}  // namespace finwait::kernel
