#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <optional>
#include <stop_token>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/transport.h"

namespace finwait::kernel::netlink {

/// Which of the kernel's multicast messages to hear. Only those of the namespace that the subscriber is in arrive:
/// NETLINK_LISTEN_ALL_NSID is never asked for.
struct Subscription {
  int protocol = 0;              ///< NETLINK_NETFILTER or NETLINK_ROUTE
  std::vector<unsigned> groups;  ///< NFNLGRP_* or RTNLGRP_*
  /// Classic BPF that the kernel runs over each message, from its nlmsghdr on: what it returns 0 for takes no room and
  /// wakes nobody. Empty: everything arrives. In place before the first message can be.
  std::vector<sock_filter> filter;
  /// What may wait to be read, in bytes of kernel memory as SO_RCVBUF counts them (a message takes about 1 KiB). 0: the
  /// host's default. Without CAP_NET_ADMIN over the host, net.core.rmem_max caps it.
  int receive_buffer_bytes = 0;
};

/// The messages of one subscription, in the order in which the kernel sent them. The seam for tests.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// Blocks until Next has something to say (true), or `until` has come or `stop` is requested (false). Once stopped,
  /// it stays stopped.
  virtual Result<bool> Wait(const std::stop_token& stop, SteadyClock::time_point until) = 0;
  /// The next datagram, nothing when none is waiting. Its bytes stay valid until the next call. errno ENOBUFS: messages
  /// were lost because they were not read fast enough; said once for any number of them, and what comes after is sound.
  virtual Result<std::optional<Datagram>> Next() = 0;
};

}  // namespace finwait::kernel::netlink
