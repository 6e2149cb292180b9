#pragma once

#include <chrono>

#include "collectors/base/result.h"

namespace finwait {

/// A deadline for what a test asks of a kernel that answers at once: far beyond what a busy machine takes, and below
/// what a hanging test is given.
inline Deadline Soon() { return Deadline::After(std::chrono::seconds(30)); }

}  // namespace finwait
