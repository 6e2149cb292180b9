#pragma once

#include <string>

#include "collectors/base/text.h"
#include "collectors/kernel/tcp_state.h"

namespace finwait::report {

/// "90 s", "25 min", "5 h", "3 d": rounded down to what a person reads at a glance. `seconds` is not negative.
std::string Lasting(double seconds);

/// "FIN_WAIT_1": as the kernel and RFC 9293 spell it.
std::string KernelName(kernel::TcpState state);

}  // namespace finwait::report
