#include "collectors/kernel/routing_monitor.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <utility>

namespace finwait::kernel {

bool RoutingMonitor::HasChanged() {
  if (changes_ == nullptr) {
    if (!host_.open_events) {
      return true;
    }
    auto changes = host_.open_events({NETLINK_ROUTE,
                                      {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                       RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_TC},
                                      {},
                                      0});
    if (changes) {
      changes_ = std::move(*changes);
    }
    return true;
  }
  // A router with a full table sends thousands in a row: one is enough to know, and the rest is read next time.
  constexpr int kMostAtOnce = 1000;
  bool changed = false;
  for (int i = 0; i < kMostAtOnce; ++i) {
    const auto datagram = changes_->Next();
    if (!datagram) {
      changed = true;
      if (datagram.error().errno_code != ENOBUFS) {
        changes_.reset();
        break;
      }
    } else if (!*datagram) {
      break;
    } else if ((*datagram)->sender_port == 0) {
      changed = true;
    }
  }
  return changed;
}

}  // namespace finwait::kernel
