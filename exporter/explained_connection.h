#pragma once

#include "collectors/firewall/verdict/connection.h"
#include "collectors/host.h"
#include "collectors/ip.h"
#include "collectors/result.h"

namespace finwait {

/// What this host knows of the connection between `local` and `peer`: whether it is its own, over loopback or one that
/// it forwards, the devices that routing picks, and what rules can ask of its sockets. It need not exist. An error
/// where the two ends were given in the wrong order.
Result<firewall::Connection> FindConnection(const Host& host, const Endpoint& local, const Endpoint& peer,
                                            Deadline deadline);

}  // namespace finwait
