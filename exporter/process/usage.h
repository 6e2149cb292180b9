#pragma once

#include <optional>

#include "collectors/base/result.h"
#include "exporter/process/process_report.h"

namespace finwait::process {

/// Of the calling process, from /proc/self; nothing where that cannot be read. Takes some tenths of a millisecond.
std::optional<Usage> ReadUsage();

/// The same, read again at most every 5 s. Not thread-safe.
class UsageMeter {
 public:
  std::optional<Usage> Read(SteadyClock::time_point now);

 private:
  std::optional<Usage> last_;
  std::optional<SteadyClock::time_point> read_at_;
};

}  // namespace finwait::process
