#pragma once

#include <set>

#include "exporter/service/log.h"

namespace finwait::service {

/// Says in the log which system calls the program's own filter has refused: each call once, however often it comes.
/// Not thread-safe. The logger must outlive it.
class RefusedCallLog {
 public:
  explicit RefusedCallLog(const Logger& logger) : logger_(logger) {}

  /// Logs the calls that were refused for the first time since the last report.
  void Report();

 private:
  const Logger& logger_;
  std::set<int> known_;
};

}  // namespace finwait::service
