#include "collectors/base/pacer.h"

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

void Pacer::Expect(std::chrono::nanoseconds cpu) {
  const double seconds = std::chrono::duration<double>(cpu).count();
  recent_ = {seconds, seconds, seconds};
}

void Pacer::Ran(SteadyClock::time_point now, std::chrono::nanoseconds cpu) {
  const double seconds = std::chrono::duration<double>(cpu).count();
  if (!recent_) {
    Expect(cpu);
  }
  std::array<double, 3>& recent = *recent_;
  recent = {recent[1], recent[2], seconds};
  std::array<double, 3> sorted = recent;
  std::ranges::sort(sorted);
  typical_ = std::max(sorted[1], (typical_ + sorted[1]) / 2);
  // So many that one run of a tenth of a second leaves what is cheap at its base interval.
  constexpr double kAmortisedRuns = 128;
  unpaid_ += std::max(0.0, seconds - typical_);
  const double amortised = unpaid_ / kAmortisedRuns;
  unpaid_ -= amortised;
  charge_ = typical_ + amortised;
  budget_->SetDemand(claim_, charge_ / std::chrono::duration<double>(base_).count());
  has_run_ = true;
  last_ = now;
}

SteadyClock::duration Pacer::Interval() const {
  const double granted = budget_->Granted(claim_);
  if (granted <= 0) {
    return base_;  // nothing is known of the cost yet
  }
  // However expensive the work and small the budget, it is not put off indefinitely.
  constexpr double kLongestSeconds = 24 * 3600;
  const double needed = std::min(charge_ / granted, kLongestSeconds);
  return std::max(base_, std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(needed)));
}

}  // namespace finwait
