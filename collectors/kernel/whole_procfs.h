#pragma once

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Success where the host's procfs shows the kernel's settings; kError, with one sentence and what to do, where it
/// shows processes only (mounted with subset=pid) or is mounted no longer. What a file's absence says of the kernel, it
/// says of a whole procfs only.
Result<void> RequireWholeProcfs(const Host& host);

}  // namespace finwait::kernel
