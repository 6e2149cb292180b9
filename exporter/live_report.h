#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "collectors/base/result.h"

namespace finwait::exporter {

/// What `write_report` writes in the network namespace of the host: that of the nearest process above this one which is
/// in another namespace than this process. A process of its own does it; `write_report` returns an exit code. An error
/// where no such namespace is there, or it may not be entered. To be called before the first thread, and before
/// privileges are given up.
Result<std::string> ReadLiveReport(const std::function<int(std::ostream& out)>& write_report);

}  // namespace finwait::exporter
