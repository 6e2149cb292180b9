#pragma once

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Whether conntrack is in this kernel now; true where that cannot be read. Without it no connection has an entry.
bool HasConntrack(const Host& host);

/// Success when conntrack and its netlink interface are in this kernel already, so that asking cannot make the kernel
/// load a module; one sentence otherwise: kUnsupported, or kError where procfs does not show whether they are.
Result<void> RequireConntrack(const Host& host);

/// A channel to conntrack, under the same condition.
Result<netlink::Channel> OpenConntrack(const Host& host);

/// Adds to a permission error from ctnetlink what to do about it; other errors pass through.
Error WithConntrackRemedy(Error error);

}  // namespace finwait::kernel
