#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "collectors/sources/entry_timeout.h"

namespace finwait::diagnosis {

using sources::EntryTimeout;
using sources::TimeoutOf;

/// Entries with a timeout of their own: how many, and the shortest.
struct OwnTimeoutCount {
  std::uint64_t entries = 0;
  std::chrono::seconds shortest{0};  ///< meaningful where there are any; about, and at most a few seconds too long

  void Add(std::chrono::seconds timeout) {
    shortest = entries == 0 ? timeout : std::min(shortest, timeout);
    ++entries;
  }
  OwnTimeoutCount& operator+=(const OwnTimeoutCount& other) {
    if (other.entries > 0) {
      shortest = entries == 0 ? other.shortest : std::min(shortest, other.shortest);
      entries += other.entries;
    }
    return *this;
  }
};

}  // namespace finwait::diagnosis
