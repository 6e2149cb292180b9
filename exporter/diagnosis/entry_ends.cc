#include "exporter/diagnosis/entry_ends.h"

#include <algorithm>

namespace finwait {

void EntryEnds::Add(const ConnectionPast& past) {
  const auto* const state =
      past.entry_end == EntryEnd::kTimedOut && past.entry_state
          ? std::find(std::begin(kLiveConntrackStates), std::end(kLiveConntrackStates), *past.entry_state)
          : std::end(kLiveConntrackStates);
  if (state != std::end(kLiveConntrackStates)) {
    ++timed_out[static_cast<std::size_t>(state - std::begin(kLiveConntrackStates))];
  } else if (past.entry_end == EntryEnd::kRemoved) {
    ++removed;
  } else if (past.entry_end != EntryEnd::kStillThere) {
    ++unknown;
  }
  if (past.keepalive) {
    ++(*past.keepalive ? with_keepalive : without_keepalive);
  }
}

EntryEnds& EntryEnds::operator+=(const EntryEnds& other) {
  for (std::size_t i = 0; i < timed_out.size(); ++i) {
    timed_out[i] += other.timed_out[i];
  }
  removed += other.removed;
  unknown += other.unknown;
  with_keepalive += other.with_keepalive;
  without_keepalive += other.without_keepalive;
  return *this;
}

}  // namespace finwait
