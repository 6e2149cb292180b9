#include "exporter/diagnosis/expiry_reasons.h"

#include <algorithm>

namespace finwait::diagnosis {

void ExpiryReasons::Add(const ConnectionHistory& history, const sources::SysctlSample* sysctl) {
  const auto* const state = history.entry_end == ExpiryReason::kTimedOut && history.entry_state
                                ? std::find(std::begin(kernel::kLiveConntrackStates),
                                            std::end(kernel::kLiveConntrackStates), *history.entry_state)
                                : std::end(kernel::kLiveConntrackStates);
  if (state != std::end(kernel::kLiveConntrackStates) && sysctl != nullptr && history.entry_timeout_at_most &&
      EntryTimeout(0, history.entry_timeout_at_most).IsOwn(*state, *sysctl)) {
    own.Add(*history.entry_timeout_at_most);
  } else if (state != std::end(kernel::kLiveConntrackStates)) {
    ++timed_out[static_cast<std::size_t>(state - std::begin(kernel::kLiveConntrackStates))];
  } else if (history.entry_end == ExpiryReason::kRemoved) {
    ++removed;
  } else if (history.entry_end != ExpiryReason::kStillThere) {
    ++unknown;
  }
  if (history.keepalive) {
    ++(*history.keepalive ? with_keepalive : without_keepalive);
  }
}

ExpiryReasons& ExpiryReasons::operator+=(const ExpiryReasons& other) {
  for (std::size_t i = 0; i < timed_out.size(); ++i) {
    timed_out[i] += other.timed_out[i];
  }
  own += other.own;
  removed += other.removed;
  unknown += other.unknown;
  with_keepalive += other.with_keepalive;
  without_keepalive += other.without_keepalive;
  return *this;
}

}  // namespace finwait::diagnosis
