#pragma once

#include <memory>

#include "exporter/scheduling/snapshot.h"

namespace finwait::diagnosis {

/// Tells a collector's new sample from one that was taken in before, as each snapshot holds the newest of every
/// collector. Holds the one last taken in, so that a new one cannot have its address.
class NewSample {
 public:
  /// Whether `status` (null: the collector is not enabled) holds another sample than at the last call; then it is taken
  /// in. False while it holds none.
  bool TakeIn(const scheduling::CollectorStatus* status) {
    if (status == nullptr || status->data == nullptr || status->data == taken_in_) {
      return false;
    }
    taken_in_ = status->data;
    return true;
  }

 private:
  std::shared_ptr<const sources::SampleData> taken_in_;
};

}  // namespace finwait::diagnosis
