#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "exporter/scheduling/snapshot.h"

namespace finwait::scheduling {

/// Holds the newest snapshot until somebody takes it. Each tells everything, so that one which comes while another
/// waits replaces it. Thread-safe.
class SnapshotInbox {
 public:
  /// How long Take() waits for more, as a rule, once there is a snapshot: collectors run at the same time.
  static constexpr std::chrono::milliseconds kGather{50};

  /// Never waits for whoever takes.
  void Put(std::shared_ptr<const Snapshot> snapshot);

  /// The newest one that nobody has taken; null where none comes within `limit`.
  std::shared_ptr<const Snapshot> Take(SteadyClock::duration limit, std::chrono::milliseconds gather = kGather);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Snapshot> waiting_;
};

}  // namespace finwait::scheduling
