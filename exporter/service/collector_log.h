#pragma once

#include <chrono>
#include <map>
#include <string>

#include "exporter/scheduling/snapshot.h"
#include "exporter/service/log.h"

namespace finwait::service {

/// Logs when a collector starts to fail, fails for another reason, or works again. At most one line in kApart for each
/// collector: of one that comes and goes faster only how it stands by then, if that differs from its last line. Not
/// thread-safe.
class CollectorLog {
 public:
  static constexpr std::chrono::seconds kApart{60};

  explicit CollectorLog(const Logger& logger) : logger_(logger) {}
  void Report(const scheduling::Snapshot& snapshot, SteadyClock::time_point now = SteadyClock::now());

 private:
  struct Line {
    std::string messages;  // empty: it works
    SteadyClock::time_point at;
  };
  const Logger& logger_;
  std::map<std::string, Line> last_;  // of each collector that has ever failed
};

}  // namespace finwait::service
