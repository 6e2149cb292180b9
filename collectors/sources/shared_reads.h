#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/sources/own_timeouts.h"

namespace finwait::sources {

/// A count of all sockets of a namespace.
struct SocketCount {
  PerFamily<kernel::SocketCounts> by_family = {};
  SteadyClock::time_point taken_at;
};

/// The newest count of all sockets, from whichever collector walked them all to the one that reports it: they are
/// walked once, not once for each. Thread-safe.
class SocketCensus {
 public:
  void Set(const SocketCount& count) {
    const std::lock_guard lock(mutex_);
    newest_ = count;
  }
  /// Nothing until the first one.
  std::optional<SocketCount> Newest() const {
    const std::lock_guard lock(mutex_);
    return newest_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<SocketCount> newest_;
};

/// What collectors of one namespace learn for each other, so that nothing is read twice.
struct SharedReads {
  std::shared_ptr<SocketCensus> census = std::make_shared<SocketCensus>();
  std::shared_ptr<kernel::KnownZones> zones = std::make_shared<kernel::KnownZones>();
  std::shared_ptr<KnownOwnTimeouts> own_timeouts = std::make_shared<KnownOwnTimeouts>();
};

}  // namespace finwait::sources
