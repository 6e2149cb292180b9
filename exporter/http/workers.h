#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace finwait::http {

/// A few threads and the bounded queue before them.
class Workers {
 public:
  /// `name` is what tools show for the threads (15 characters at most). `capacity` bounds the tasks that wait and run,
  /// taken together. Throws std::system_error when the system has no thread left.
  Workers(const std::string& name, std::size_t threads, std::size_t capacity);
  ~Workers() { Stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  std::size_t Capacity() const { return capacity_; }
  /// Queues a task, which must not throw; false when that would be more than the capacity.
  bool Submit(std::function<void()> task);
  /// Drops the tasks that wait, and waits for those that run.
  void Stop();

 private:
  void Work();

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::size_t unfinished_ = 0;  ///< waiting and running
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace finwait::http
