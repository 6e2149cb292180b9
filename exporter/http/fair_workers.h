#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exporter/http/fair_queue.h"
#include "exporter/http/peer.h"
#include "exporter/http/peer_usage.h"

namespace finwait::http {

/// A few threads, and before them a bounded queue in which every peer has its turn (FairQueue). Thread-safe.
class FairWorkers {
 public:
  /// Hands over what a task has come to.
  using Handover = std::function<void()>;
  struct Task {
    /// On a worker. What it returns is called, if it is not null, once the task's place is free again: whoever learns
    /// of the outcome may ask for the next thing at once.
    std::function<Handover()> run;
    std::function<void()> refuse;  ///< instead, on the thread of a Submit, where the queue has no place for it
    std::uint64_t id = 0;          ///< for Cancel; unique among those that wait
    bool goes_on = false;          ///< with what ran before: to be run before what has not begun
  };
  struct Bounds {
    std::size_t capacity;  ///< tasks that wait and run, taken together
    std::size_t waiting_per_peer;
    std::size_t running_per_peer;
    /// So many of the threads serve only a peer that has had clearly less than all who are being served: it need not
    /// wait for what a flood has begun.
    std::size_t overtaking = 0;
  };

  /// `name` is what tools show for the threads (15 characters at most). Throws std::system_error when the system has no
  /// thread left.
  FairWorkers(const std::string& name, std::size_t threads, Bounds bounds);
  ~FairWorkers() { Stop(); }
  FairWorkers(const FairWorkers&) = delete;
  FairWorkers& operator=(const FairWorkers&) = delete;

  std::size_t Capacity() const { return bounds_.capacity; }
  /// Queues a task, neither of whose functions may throw. Where there is no place for it, or it takes that of another,
  /// the one without a place is refused before this returns. Once stopped, tasks are dropped.
  void Submit(const Peer& peer, Task task);
  /// Drops the peer's task of that id; false when it does not wait any more: it runs, or has run.
  bool Cancel(const Peer& peer, std::uint64_t id);
  /// Drops the tasks that wait, and waits for those that run.
  void Stop();

 private:
  void Work();

  const Bounds bounds_;
  const std::size_t thread_count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  PeerUsage usage_;  ///< of these threads alone: what a peer costs elsewhere is settled there
  FairQueue<Task> queue_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace finwait::http
