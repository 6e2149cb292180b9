#pragma once

#include <memory>

#include "collectors/kernel/host.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel {

/// Tells whether anything has changed that routing hangs on (routes, `ip rule`, addresses, devices), or that tc does
/// with packets. The kernel multicasts it, so that asking costs a read of an empty queue. Sysctls of routing
/// (rp_filter, fib_multipath_hash_policy) are not among it. Not thread-safe; use it in the namespace that `host` is
/// bound to.
class RoutingMonitor {
 public:
  explicit RoutingMonitor(Host host) : host_(std::move(host)) {}

  struct Changes {
    bool routing = false;
    bool traffic_control = false;
    bool operator==(const Changes&) const = default;
  };
  /// What has changed, or may have, since the last call; both the first time. Where the kernel cannot be heard, every
  /// call says so. Never blocks.
  Changes TakeChanges();

 private:
  Host host_;
  std::unique_ptr<netlink::EventSource> changes_;
};

}  // namespace finwait::kernel
