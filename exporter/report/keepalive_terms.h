#pragma once

#include <cstdint>
#include <string>

#include "exporter/diagnosis/idle.h"

namespace finwait::report {

/// The line to change for a keepalive after `seconds`, in the terms of the application that the port or the holder
/// tells: one sentence. Empty where neither tells one. docs/timeouts.md has where each is documented.
std::string KeepaliveTerms(const diagnosis::ServiceIdle& service, std::uint64_t seconds);

}  // namespace finwait::report
