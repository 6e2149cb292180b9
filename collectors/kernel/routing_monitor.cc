#include "collectors/kernel/routing_monitor.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace finwait::kernel {

namespace {

constexpr RoutingMonitor::Changes kAnything{true, true};

// A notification has one message.
bool IsOfTrafficControl(const netlink::Datagram& datagram) {
  nlmsghdr header = {};
  if (datagram.bytes.size() < sizeof header) {
    return false;
  }
  std::memcpy(&header, datagram.bytes.data(), sizeof header);
  return (header.nlmsg_type >= RTM_NEWQDISC && header.nlmsg_type <= RTM_GETTFILTER) ||
         (header.nlmsg_type >= RTM_NEWCHAIN && header.nlmsg_type <= RTM_GETCHAIN);
}

}  // namespace

RoutingMonitor::Changes RoutingMonitor::TakeChanges() {
  if (changes_ == nullptr) {
    if (!host_.open_events) {
      return kAnything;
    }
    auto changes = host_.open_events({NETLINK_ROUTE,
                                      {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                       RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_TC},
                                      {},
                                      0});
    if (changes) {
      changes_ = std::move(*changes);
    }
    return kAnything;
  }
  // A router with a full table sends thousands in a row: one is enough to know, and the rest is read next time.
  constexpr int kMostAtOnce = 1000;
  Changes changed;
  for (int i = 0; i < kMostAtOnce; ++i) {
    const auto datagram = changes_->Next();
    if (!datagram) {
      changed = kAnything;
      if (datagram.error().errno_code != ENOBUFS) {
        changes_.reset();
        break;
      }
    } else if (!*datagram) {
      break;
    } else if ((*datagram)->sender_port == 0) {
      (IsOfTrafficControl(**datagram) ? changed.traffic_control : changed.routing) = true;
    }
  }
  return changed;
}

}  // namespace finwait::kernel
