#pragma once

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/kernel/host.h"

namespace finwait::diagnosis {

/// What this host knows of the connection between `local` and `peer`: whether it is its own, over loopback or one that
/// it forwards, the devices that routing picks, and what rules can ask of its sockets. It need not exist. An error
/// where the two ends were given in the wrong order.
Result<firewall::eval::Connection> FindConnection(const kernel::Host& host, const Endpoint& local, const Endpoint& peer,
                                                  Deadline deadline);

}  // namespace finwait::diagnosis
