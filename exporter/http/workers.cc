#include "exporter/http/workers.h"

#include <pthread.h>

namespace finwait::http {

Workers::Workers(const std::string& name, std::size_t threads, std::size_t capacity) : capacity_(capacity) {
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

bool Workers::Submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || unfinished_ >= capacity_) {
      return false;
    }
    waiting_.push_back(std::move(task));
    ++unfinished_;
  }
  changed_.notify_one();
  return true;
}

void Workers::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    unfinished_ -= waiting_.size();
    waiting_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) {
      thread.join();
    }
  }
}

void Workers::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) {
      return;
    }
    {
      const std::function<void()> task = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      task();
    }
    lock.lock();
    --unfinished_;
  }
}

}  // namespace finwait::http
