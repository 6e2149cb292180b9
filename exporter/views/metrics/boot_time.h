#pragma once

#include <optional>

namespace finwait::views::metrics {

/// When the system started, in Unix time (`btime` of /proc/stat); nothing where that cannot be read.
std::optional<double> BootTime();

}  // namespace finwait::views::metrics
