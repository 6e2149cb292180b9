#pragma once

#include <cstdint>
#include <string>

#include "exporter/diagnosis/idle.h"

namespace finwait::report {

/// TCP_KEEPINTVL for a keepalive after `seconds`: as long, and never longer than the kernel's default of 75 s.
std::uint64_t KeepaliveInterval(std::uint64_t seconds);

/// The line to change for a keepalive after `seconds`, with its interval and its count as far as these can be set, in
/// the terms of the application that the port or the holder tells; where neither tells one, in terms of languages'
/// libraries that many are written with. docs/timeouts.md has where each is documented.
std::string KeepaliveTerms(const diagnosis::ServiceIdle& service, std::uint64_t seconds);

}  // namespace finwait::report
