#pragma once

#include <memory>
#include <mutex>

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::diagnosis {

/// The newest diagnosis, handed from the thread that made it to those that show it. Thread-safe.
class LatestDiagnosis {
 public:
  void Set(std::shared_ptr<const Diagnosis> diagnosis) {
    const std::lock_guard lock(mutex_);
    diagnosis_.swap(diagnosis);
  }
  /// Null until the first one.
  std::shared_ptr<const Diagnosis> Get() const {
    const std::lock_guard lock(mutex_);
    return diagnosis_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Diagnosis> diagnosis_;
};

}  // namespace finwait::diagnosis
