#pragma once

#include <map>
#include <string>

#include "exporter/scheduling/snapshot.h"
#include "exporter/service/log.h"

namespace finwait::service {

/// Logs when a collector starts to fail, fails for another reason, or works again: once each, not once a collection.
/// Not thread-safe.
class CollectorLog {
 public:
  explicit CollectorLog(const Logger& logger) : logger_(logger) {}
  void Report(const scheduling::Snapshot& snapshot);

 private:
  const Logger& logger_;
  std::map<std::string, std::string> failing_;  // collector to what was logged
};

}  // namespace finwait::service
