#include "exporter/scheduling/snapshot_inbox.h"

#include <utility>

namespace finwait::scheduling {

void SnapshotInbox::Put(std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  waiting_ = std::move(snapshot);
  changed_.notify_all();
}

std::shared_ptr<const Snapshot> SnapshotInbox::Take(SteadyClock::duration limit, std::chrono::milliseconds gather) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, limit, [this] { return waiting_ != nullptr; })) {
    return nullptr;
  }
  changed_.wait_for(lock, gather, [] { return false; });
  return std::exchange(waiting_, nullptr);
}

}  // namespace finwait::scheduling
