#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "collectors/tracking.h"

namespace finwait {

/// What became of a connection's conntrack entry.
enum class EntryEnd {
  kStillThere,
  kNeverSeen,  ///< it was gone before the first look at this connection
  kTimedOut,   ///< its time had run out by the look that missed it
  kRemoved,    ///< it went before its time: deleted, flushed, or evicted from a full table
};

/// What earlier looks saw of a connection; the socket itself no longer tells once its entry is gone.
struct ConnectionPast {
  EntryEnd entry_end = EntryEnd::kNeverSeen;
  /// Of the entry when it was last seen; nothing when it never was.
  std::optional<ConntrackTcpState> entry_state;
  bool source_nat = false;
  bool destination_nat = false;
  bool keepalive = false;  ///< SO_KEEPALIVE was on when the socket was open

  bool SeenTracked() const { return entry_state.has_value(); }
  bool Translated() const { return source_nat || destination_nat; }
};

/// Remembers, by socket cookie, what can only be learnt while a connection has its entry. Holds only sockets that the
/// last sample listed. Not thread-safe.
class ConnectionMemory {
 public:
  /// Takes a sample that was complete at `now`.
  void Update(const TrackingSample& sample, SteadyClock::time_point now);

  /// The past of a socket; null for one that the last sample did not list.
  const ConnectionPast* Find(std::uint64_t cookie) const;

 private:
  struct Memory {
    ConnectionPast past;
    SteadyClock::time_point ends_at;  // when the entry runs out unless a packet comes; while it is there
    std::uint64_t look = 0;
  };
  std::unordered_map<std::uint64_t, Memory> connections_;
  std::uint64_t looks_ = 0;
};

}  // namespace finwait
