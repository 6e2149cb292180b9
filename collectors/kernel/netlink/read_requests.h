#pragma once

#include <cstdint>
#include <span>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/attributes.h"

namespace finwait::kernel::netlink {

/// A message type that this program may send to a netlink protocol.
struct ReadRequest {
  int protocol;        ///< NETLINK_NETFILTER, NETLINK_SOCK_DIAG, NETLINK_ROUTE or NETLINK_XFRM
  std::uint16_t type;  ///< nlmsg_type
  const char* name;    ///< the kernel's name for it, for messages and tests
};

/// Every message type that this program ever sends. All of them only read. Left out on purpose although their names say
/// "get": IPCTNL_MSG_CT_GET_CTRZERO and NFT_MSG_GET*_RESET, which zero counters as they read them; and IPSET_CMD_TEST,
/// which adds what stands in it to the counters of the element that it asks for.
std::span<const ReadRequest> ReadRequests();

/// Success when `datagram` holds at least one netlink message and all of them are on the list for `protocol`; else an
/// error that names the type.
Result<void> RequireReadOnly(int protocol, Bytes datagram);

}  // namespace finwait::kernel::netlink
