#include "exporter/channel/snapshot_feed.h"

#include <condition_variable>
#include <mutex>
#include <new>
#include <utility>

namespace finwait::channel {

struct SnapshotFeed::Shared {
  ReaderClient& client;
  Consume consume;
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
};

SnapshotFeed::SnapshotFeed(ReaderClient& client, Consume consume)
    : client_(client), shared_(new Shared{client, std::move(consume), {}, {}, false}) {}

SnapshotFeed::~SnapshotFeed() { Stop(Deadline::After(std::chrono::seconds(2))); }

Result<void> SnapshotFeed::TakeFirst() {
  auto first = client_.Next(Deadline::After(kPatience));
  if (!first) {
    return Failure(first.error());
  }
  if (*first == nullptr) {
    return Fail(FailureReason::kError, "the process that reads the kernel has nothing to tell");
  }
  shared_->consume(std::move(*first), true);
  return {};
}

void SnapshotFeed::Start() {
  thread_ = std::jthread([shared = shared_](const std::stop_token& stop) { Run(stop, shared); });
}

bool SnapshotFeed::Stop(Deadline deadline) {
  if (!thread_.joinable()) {
    return true;
  }
  thread_.request_stop();
  client_.Shutdown();
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

void SnapshotFeed::Run(const std::stop_token& stop, const std::shared_ptr<Shared>& shared) {
  while (!stop.stop_requested() && !shared->client.IsGone()) {
    try {
      auto next = shared->client.Next(Deadline::After(kPatience));
      if (stop.stop_requested()) {
        break;
      }
      if (!next) {
        shared->consume(shared->client.Unavailable(next.error()), false);
      } else if (*next != nullptr) {
        shared->consume(std::move(*next), true);
      }
    } catch (const std::bad_alloc&) {
      // The next answer tells everything again; without one, readiness and the watchdog notice.
    }
  }
  const std::lock_guard lock(shared->mutex);
  shared->ended = true;
  shared->changed.notify_all();
}

}  // namespace finwait::channel
