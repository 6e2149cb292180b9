#include "exporter/diagnosis/evidence.h"

namespace finwait::diagnosis {

void EvidenceLog::Add(SteadyClock::time_point now, scheduling::WallClock::time_point wall, std::uint64_t lost) {
  last_ = now;
  last_wall_ = wall;
  if (lost > 0) {
    entries_.push_back({now, lost});
  }
  LostWithinHold(now);
}

std::uint64_t EvidenceLog::LostWithinHold(SteadyClock::time_point now) {
  while (!entries_.empty() && now - entries_.front().at > kEvidenceHold) {
    entries_.pop_front();
  }
  std::uint64_t lost = 0;
  for (const Entry& entry : entries_) {
    lost += entry.lost;
  }
  return lost;
}

bool EvidenceLog::WithinHold(SteadyClock::time_point now) const { return last_ && now - *last_ <= kEvidenceHold; }

}  // namespace finwait::diagnosis
