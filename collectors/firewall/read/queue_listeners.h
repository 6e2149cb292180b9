#pragma once

#include <cstdint>
#include <set>

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// The queues of packets (NFQUEUE) to which a program of this namespace listens. None where nfnetlink_queue is not
/// loaded. /proc/net/netfilter/nfnetlink_queue is for uid 0 and group 0 only.
Result<std::set<std::uint16_t>> ReadQueueListeners(const kernel::Host& host, Deadline deadline);

}  // namespace finwait::firewall::read
