#include "collectors/kernel/listening_budget.h"

#include <algorithm>

namespace finwait::kernel {
namespace {

double Seconds(std::chrono::duration<double> duration) { return duration.count(); }

SteadyClock::duration OfSeconds(double seconds) {
  return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

ListeningBudget::ListeningBudget(const ListeningLimits& limits) : limits_(limits), account_(Capacity()) {}

double ListeningBudget::Capacity() const { return limits_.core_share * Seconds(limits_.reserve); }

SteadyClock::duration ListeningBudget::NextCheck() {
  std::uniform_real_distribution<double> spread(0.5, 1.5);
  return OfSeconds(spread(random_) * Seconds(limits_.check_interval));
}

std::optional<SteadyClock::duration> ListeningBudget::Charge(SteadyClock::duration listened,
                                                             double entries_per_second) {
  const double spent_share = entries_per_second * Seconds(limits_.entry_cost);
  account_ = std::clamp(account_ + Seconds(listened) * (limits_.core_share - spent_share), -Capacity(), Capacity());
  if (account_ > 0) {
    return std::nullopt;
  }
  std::uniform_real_distribution<double> refill(0.25, 1);
  const double resume_at = refill(random_) * Capacity();
  const double missing = resume_at - account_;
  account_ = resume_at;
  return OfSeconds(missing / limits_.core_share);
}

}  // namespace finwait::kernel
