#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "collectors/base/result.h"

namespace finwait::exporter {

/// What `write` writes in a process of its own, which ends then: so it may enter a namespace or a sandbox that this
/// process does not. `write` returns 0, or an errno that `*refused` gets. An error where the process could not be
/// started, or has crashed. To be called before the first thread.
Result<std::string> OutputOfChild(const std::function<int(std::ostream& out)>& write, int* refused);

}  // namespace finwait::exporter
