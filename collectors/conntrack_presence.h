#pragma once

#include "collectors/host.h"
#include "collectors/result.h"

namespace finwait {

/// Success when conntrack and its netlink interface are in this kernel already, so that asking cannot make the kernel
/// load a module; kUnsupported with one sentence otherwise.
Result<void> RequireConntrack(const Host& host);

/// Adds to a permission error from ctnetlink what to do about it; other errors pass through.
Error WithConntrackRemedy(Error error);

}  // namespace finwait
