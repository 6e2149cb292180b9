#pragma once

#include <set>
#include <utility>
#include <vector>

#include "exporter/privilege/refused_calls.h"
#include "exporter/service/log.h"

namespace finwait::service {

/// Says in the log which system calls the program's own filters have refused: each call of a process once, however
/// often it comes. Not thread-safe. The logger must outlive it.
class RefusedCallLog {
 public:
  explicit RefusedCallLog(const Logger& logger) : logger_(logger) {}

  /// Logs the calls that were refused for the first time since the last report: to this process, the server, and to
  /// the one that reads the kernel.
  void Report(const std::vector<privilege::RefusedCall>& reader = {});

 private:
  const Logger& logger_;
  std::set<std::pair<bool, int>> known_;  // whether the reader's, and the call
};

}  // namespace finwait::service
