#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "collectors/base/result.h"

namespace finwait::sources {

/// What one collector read in one collection: plain data, immutable once published. Each sample type derives from this
/// and names its collector in `static constexpr std::string_view kCollector`.
struct SampleData {
  SampleData() = default;
  SampleData(const SampleData&) = default;
  SampleData& operator=(const SampleData&) = default;
  virtual ~SampleData() = default;
};

/// The outcome of a collection that succeeded, at least in part.
struct Collected {
  std::shared_ptr<const SampleData> data;
  /// What could not be read although the rest is true (legacy tables that may not be opened, one address family). Each
  /// part that a gap names is marked absent in the data; nothing in the data is a guess. A collection with gaps counts
  /// as failed in finwait_collector_success, and what it did read is still shown.
  std::vector<Error> gaps;
  /// CPU time of this collection that was spent under a pacer of the collector's own.
  std::chrono::nanoseconds charged_elsewhere{0};
  /// CPU time that another process took for it.
  std::chrono::nanoseconds spent_elsewhere{0};
};

/// Reads one aspect of the kernel's state in one network namespace. Not thread-safe: the sampler calls one collector
/// from one thread. A collector keeps no result of its own, logs nothing and changes nothing on the host.
class Collector {
 public:
  virtual ~Collector() = default;

  /// One collection. Returns by `deadline`, or as soon as a system call that cannot be bounded (a procfs read) ends.
  virtual Result<Collected> Collect(Deadline deadline) = 0;
};

}  // namespace finwait::sources
