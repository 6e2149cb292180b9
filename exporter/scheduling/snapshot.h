#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/registry.h"

namespace finwait::scheduling {

using WallClock = std::chrono::system_clock;

/// Where one collector stands.
struct CollectorStatus {
  const sources::CollectorInfo* info = nullptr;
  /// The newest sample; null before the first collection, and again as soon as a collection fails: old data is never
  /// shown as new.
  std::shared_ptr<const sources::SampleData> data;
  SteadyClock::time_point taken_at;                   ///< when `data` was complete
  std::optional<WallClock::time_point> last_success;  ///< of a collection without any error
  /// Why the newest collection failed, in whole (data is null) or in part; empty after a clean one.
  std::vector<Error> errors;
  bool collected = false;             ///< at least one collection has ended or overrun
  bool has_worked = false;            ///< at least one collection has had a sample
  SteadyClock::duration duration{0};  ///< of the newest collection
  SteadyClock::duration interval{0};  ///< to the next collection
  std::array<std::uint64_t, std::size(kFailureReasons)> failures = {};  ///< collections with an error, by FailureReason

  bool Succeeded() const { return collected && data != nullptr && errors.empty(); }
};

/// All collectors of one network namespace at one moment. Immutable once published.
struct Snapshot {
  kernel::NamespaceId network_namespace;
  std::vector<CollectorStatus> collectors;  ///< the enabled ones, in the registry's order

  /// The status of the collector whose sample type is T; null where it is not enabled.
  template <typename T>
  const CollectorStatus* Status() const {
    for (const CollectorStatus& status : collectors) {
      if (status.info->name == T::kCollector) {
        return &status;
      }
    }
    return nullptr;
  }
  /// The newest sample of type T; null where its collector is disabled or unavailable.
  template <typename T>
  const T* Find() const {
    const CollectorStatus* status = Status<T>();
    return status != nullptr ? dynamic_cast<const T*>(status->data.get()) : nullptr;
  }
};

}  // namespace finwait::scheduling
