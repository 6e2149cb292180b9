#pragma once

#include "collectors/host.h"
#include "collectors/live_socket_list.h"

namespace finwait {

/// All live sockets of the namespace, IPv4 and IPv6, as yet untracked. Needs no capability.
Result<LiveSocketList> ReadLiveSockets(const Host& host, Deadline deadline);

}  // namespace finwait
