#include "collectors/pacer.h"

#include <algorithm>
#include <ctime>

namespace finwait {

std::chrono::nanoseconds CpuStopwatch::Now() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

bool Pacer::Due(SteadyClock::time_point now) const {
  // A tenth of the base interval early still counts as due: whoever asks does so on a timer of that same interval, and
  // must not find itself a millisecond too early every other time.
  return !has_run_ || now - last_ + base_ / 10 >= Interval();
}

void Pacer::Ran(SteadyClock::time_point now, std::chrono::nanoseconds cpu) {
  const double seconds = std::chrono::duration<double>(cpu).count();
  // A rise counts at once, so that the budget holds from the first costly run; a fall counts by a quarter.
  average_seconds_ = std::max(seconds, average_seconds_ + (seconds - average_seconds_) / 4);
  has_run_ = true;
  last_ = now;
}

SteadyClock::duration Pacer::Interval() const {
  const auto needed =
      std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(average_seconds_ / share_));
  return std::max(base_, needed);
}

}  // namespace finwait
