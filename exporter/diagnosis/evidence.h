#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "exporter/diagnosis/risk.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::diagnosis {

/// Remembers proven failures for as long as they hold the stage at failing (kEvidenceHold). Bounded: at most one entry
/// a sample. Not thread-safe.
class EvidenceLog {
 public:
  /// A failure is proven to go on at `now`; `lost` closes more than were known before are proven lost.
  void Add(SteadyClock::time_point now, scheduling::WallClock::time_point wall, std::uint64_t lost);

  /// Lost closes within the hold time before `now`.
  std::uint64_t LostWithinHold(SteadyClock::time_point now);
  bool WithinHold(SteadyClock::time_point now) const;
  std::optional<scheduling::WallClock::time_point> Last() const { return last_wall_; }

 private:
  struct Entry {
    SteadyClock::time_point at;
    std::uint64_t lost = 0;
  };
  std::deque<Entry> entries_;
  std::optional<SteadyClock::time_point> last_;
  std::optional<scheduling::WallClock::time_point> last_wall_;
};

}  // namespace finwait::diagnosis
