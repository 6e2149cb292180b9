#pragma once

#include <memory>
#include <mutex>

#include "exporter/report/report.h"

namespace finwait::report {

/// The newest report, handed from the thread that made it to those that show it. Thread-safe.
class LatestReport {
 public:
  void Set(std::shared_ptr<const Report> report) {
    const std::lock_guard lock(mutex_);
    report_.swap(report);
  }
  /// Null until the first one.
  std::shared_ptr<const Report> Get() const {
    const std::lock_guard lock(mutex_);
    return report_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Report> report_;
};

}  // namespace finwait::report
