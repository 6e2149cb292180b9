#include "exporter/scheduling/snapshot_consumer.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace finwait::scheduling {

struct SnapshotConsumer::Shared {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::shared_ptr<const Snapshot> waiting;
  bool ended = false;
  Consume consume;  // called without the mutex
};

SnapshotConsumer::SnapshotConsumer(Consume consume) : shared_(std::make_shared<Shared>()) {
  shared_->consume = std::move(consume);
}

SnapshotConsumer::~SnapshotConsumer() { Stop(Deadline::After(std::chrono::seconds(2))); }

void SnapshotConsumer::Put(std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(shared_->mutex);
  shared_->waiting = std::move(snapshot);
  shared_->changed.notify_all();
}

void SnapshotConsumer::Start() {
  std::unique_lock lock(shared_->mutex);
  if (auto snapshot = std::exchange(shared_->waiting, nullptr)) {
    lock.unlock();
    shared_->consume(std::move(snapshot));
  }
  thread_ = std::jthread([shared = shared_](const std::stop_token& stop) { Run(stop, shared); });
}

bool SnapshotConsumer::Stop(Deadline deadline) {
  if (!thread_.joinable()) {
    return true;
  }
  thread_.request_stop();
  std::unique_lock lock(shared_->mutex);
  const bool ended = shared_->changed.wait_for(lock, deadline.Remaining(), [this] { return shared_->ended; });
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return ended;
}

void SnapshotConsumer::Run(const std::stop_token& stop, const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (shared->changed.wait(lock, stop, [&] { return shared->waiting != nullptr; })) {
    shared->changed.wait_for(lock, stop, kGather, [] { return false; });
    if (stop.stop_requested()) {
      break;
    }
    auto snapshot = std::exchange(shared->waiting, nullptr);
    lock.unlock();
    shared->consume(std::move(snapshot));
    lock.lock();
  }
  shared->ended = true;
  shared->changed.notify_all();
}

}  // namespace finwait::scheduling
