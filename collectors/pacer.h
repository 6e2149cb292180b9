#pragma once

#include <chrono>

#include "collectors/result.h"

namespace finwait {

/// Measures the CPU time of the calling thread (CLOCK_THREAD_CPUTIME_ID), system calls included.
class CpuStopwatch {
 public:
  CpuStopwatch() : start_(Now()) {}
  std::chrono::nanoseconds Elapsed() const { return Now() - start_; }

 private:
  static std::chrono::nanoseconds Now();
  std::chrono::nanoseconds start_;
};

/// Spaces costly work so that it takes at most a given share of one core on average, and never runs more often than a
/// base interval. The interval follows a moving average of the cost, so that it stretches smoothly. Not thread-safe.
class Pacer {
 public:
  /// `share` is a fraction of one core, above 0.
  Pacer(SteadyClock::duration base_interval, double share) : base_(base_interval), share_(share) {}

  /// True at first, and again once Interval() has passed since the work last ran.
  bool Due(SteadyClock::time_point now) const;
  /// Tells that the work ended at `now` and took `cpu` of CPU time.
  void Ran(SteadyClock::time_point now, std::chrono::nanoseconds cpu);
  /// At least the base interval.
  SteadyClock::duration Interval() const;

 private:
  SteadyClock::duration base_;
  double share_;
  double average_seconds_ = 0;
  bool has_run_ = false;
  SteadyClock::time_point last_;
};

}  // namespace finwait
