#include "exporter/http/fair_workers.h"

#include <pthread.h>

#include <chrono>
#include <optional>
#include <utility>

namespace finwait::http {

namespace {

/// What counts as much as one more task: tasks cost from microseconds (an answer that is rendered already) to a tenth
/// of a second (a password).
constexpr std::chrono::milliseconds kUnit{1};

}  // namespace

FairWorkers::FairWorkers(const std::string& name, std::size_t threads, Bounds bounds)
    : bounds_(bounds), thread_count_(threads), queue_(usage_, bounds.waiting_per_peer, bounds.running_per_peer) {
  try {
    for (std::size_t i = 0; i < threads; ++i) {
      // By itself: another thread's name is a file in /proc, and the program's sandbox opens none for writing.
      threads_.emplace_back([this, short_name = name.substr(0, 15)] {
        pthread_setname_np(pthread_self(), short_name.c_str());
        Work();
      });
    }
  } catch (...) {
    Stop();
    throw;
  }
}

void FairWorkers::Submit(const Peer& peer, Task task) {
  std::optional<Task> refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      return;
    }
    const bool goes_on = task.goes_on;
    refused = queue_.Push(peer, std::move(task), bounds_.capacity - running_, SteadyClock::now(), goes_on);
  }
  changed_.notify_one();
  if (refused) {
    refused->refuse();
  }
}

bool FairWorkers::Cancel(const Peer& peer, std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return queue_.Remove(peer, [id](const Task& task) { return task.id == id; });
}

void FairWorkers::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.Clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) {
      thread.join();
    }
  }
}

void FairWorkers::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::optional<FairQueue<Task>::Entry> next;
    changed_.wait(lock, [this, &next] {
      const bool overtakes = running_ + bounds_.overtaking >= thread_count_;
      return stopping_ || (next = queue_.Pop(SteadyClock::now(), overtakes));
    });
    if (stopping_) {
      return;
    }
    ++running_;
    lock.unlock();
    const auto start = SteadyClock::now();
    const Handover hand_over = next->item.run();
    next->item = {};  // what it holds is let go outside of the lock
    lock.lock();
    --running_;
    const auto end = SteadyClock::now();
    queue_.Done(next->peer, std::chrono::duration<double>(end - start) / kUnit, end);
    changed_.notify_one();  // somebody may have waited for this peer to be done
    lock.unlock();
    if (hand_over) {
      hand_over();
    }
    lock.lock();
  }
}

}  // namespace finwait::http
