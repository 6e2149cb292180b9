#pragma once

#include <chrono>
#include <optional>
#include <random>

#include "collectors/base/result.h"

namespace finwait::kernel {

/// What listening to conntrack's events may cost, and how that is watched.
struct ListeningLimits {
  /// Fraction of one core, on average.
  double core_share = 0.02;
  /// CPU time that the kernel spends for us on an entry that is made and ends while we listen (docs/verification.md).
  std::chrono::nanoseconds entry_cost = std::chrono::nanoseconds(3050);
  /// How much may be spent at once, as the time in which the budget grants it.
  SteadyClock::duration reserve = std::chrono::seconds(60);
  /// How long apart the making of entries is looked at, on average, and for how long each time.
  SteadyClock::duration check_interval = std::chrono::seconds(2);
  SteadyClock::duration check_length = std::chrono::milliseconds(20);
};

/// Tells a listener to conntrack's events when to pause, so that it costs no more than its share of a core however many
/// connections come and go: an account that the share is paid into and that each new entry draws from. While the share
/// pays for all of them (6 500 a second) it stays full and the listener listens always. Beyond that it empties, and
/// the listener pauses until there is something in it again; so a burst passes, and what goes on is cut to the share.
///
/// Entries are charged when they are made: that is when the kernel decides whether it will tell of their end, and it
/// bounds the cost whatever their lifetimes and however many end at once. Not thread-safe.
class ListeningBudget {
 public:
  /// With a full account.
  explicit ListeningBudget(const ListeningLimits& limits);

  /// How long to listen until the next charge: half to one and a half of the check interval, drawn again each time, so
  /// that no beat of the traffic's hides from the checks.
  SteadyClock::duration NextCheck();

  /// Charges for `listened`, in which new entries came at `entries_per_second`. Returns how long to pause now where
  /// that was more than there was: a quarter to all of the reserve's time, and up to one reserve more for what was
  /// overdrawn. The length is drawn, so that no lifetime of entries keeps falling into pauses. The account counts as
  /// refilled after the pause.
  std::optional<SteadyClock::duration> Charge(SteadyClock::duration listened, double entries_per_second);

 private:
  double Capacity() const;  // CPU seconds

  ListeningLimits limits_;
  double account_;           // CPU seconds; at most Capacity()
  std::minstd_rand random_;  // the same for every listener: only its spread matters
};

}  // namespace finwait::kernel
