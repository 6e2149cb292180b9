#pragma once

#include "collectors/kernel/host.h"
#include "collectors/kernel/live_socket_list.h"

namespace finwait::kernel {

/// All live sockets of the namespace, IPv4 and IPv6, as yet untracked. Needs no capability.
Result<LiveSocketList> ReadLiveSockets(const Host& host, Deadline deadline);

}  // namespace finwait::kernel
