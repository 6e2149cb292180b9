#pragma once

#include <linux/netlink.h>

#include <cstddef>

#include "collectors/kernel/netlink/attributes.h"
#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel::netlink {

/// Calls `visit(const Message&)` for each netlink message in a datagram that answers no request. False when a message's
/// length is shorter than its header or runs past the end: what was visited before is sound.
template <typename Visit>
bool ForEachMessage(Bytes datagram, Visit&& visit) {
  while (!datagram.empty()) {
    const auto header = Attribute(0, datagram).Read<nlmsghdr>();
    if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
      return false;
    }
    visit(Message{header->nlmsg_type, datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr))});
    const std::size_t aligned = NLMSG_ALIGN(header->nlmsg_len);
    datagram = datagram.subspan(aligned < datagram.size() ? aligned : datagram.size());
  }
  return true;
}

}  // namespace finwait::kernel::netlink
