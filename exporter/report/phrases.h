#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "collectors/kernel/tcp_state.h"

namespace finwait::report {

/// "1 socket", "3 sockets".
std::string Counted(std::uint64_t number, std::string_view one, std::string_view many);

/// "90 s", "25 min", "5 h", "3 d": rounded down to what a person reads at a glance. `seconds` is not negative.
std::string Lasting(double seconds);

/// "FIN_WAIT_1": as the kernel and RFC 9293 spell it.
std::string KernelName(kernel::TcpState state);

/// ASCII letters in upper case.
std::string UpperCase(std::string_view text);

}  // namespace finwait::report
