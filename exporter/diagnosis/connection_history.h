#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/socket_table.h"

namespace finwait::diagnosis {

/// What became of a connection's conntrack entry.
enum class ExpiryReason {
  kStillThere,
  kNeverSeen,  ///< it was gone before the first sample of this connection
  kTimedOut,   ///< its time had run out by the sample that missed it
  kRemoved,    ///< it went before its time: deleted, flushed, or evicted from a full table
  kUnknown,    ///< the peer's FIN came after the last sample that saw it, and with it a shorter timeout; or its timeout
               ///< was not told
};

/// "present", "timed_out", "removed" or "unknown".
std::string_view Name(ExpiryReason end);

/// What earlier samples showed of a connection; the socket itself no longer tells once its entry is gone.
struct ConnectionHistory {
  ExpiryReason entry_end = ExpiryReason::kNeverSeen;
  /// Of the entry when it was last seen; nothing when it never was, or was in a flowtable (SocketEntry::state).
  std::optional<kernel::ConntrackTcpState> entry_state;
  /// The most that the entry can have been given with its last packet, as far as samples of the open socket tell: what
  /// remained and the silence until then, to one part in 256. See EntryTimeout.
  std::optional<std::chrono::seconds> entry_timeout_at_most;
  bool source_nat = false;
  bool destination_nat = false;
  std::shared_ptr<const kernel::Translation> translation;  ///< null unless translated
  /// Whether SO_KEEPALIVE was on; nothing when no sample saw the socket open, as a closing one does not tell.
  std::optional<bool> keepalive;
  bool lost_while_open = false;  ///< a sample saw the socket open and without its entry, and none saw an entry since
  bool closed_tracked = false;   ///< a sample saw the socket closing and with its entry: its FIN was tracked

  bool SeenTracked() const { return entry_state.has_value() || entry_end != ExpiryReason::kNeverSeen; }
  bool Translated() const { return source_nat || destination_nat; }
};

/// Remembers, by socket cookie, what can only be learnt while a connection has its entry. Holds only sockets that the
/// last sample listed. Not thread-safe.
class ConnectionHistories {
 public:
  /// Takes all unfinished sockets with their entries, as read by `now`. Drops everything if it throws, for want of
  /// memory.
  void Update(const kernel::SocketTable& sockets, SteadyClock::time_point now);

  /// Adds what closing sockets, read with their entries at `now`, show of those that the last sample listed.
  void Observe(std::span<const kernel::TcpSocket> closing, SteadyClock::time_point now);

  /// The history of a socket; nothing for one that the last sample did not list.
  std::optional<ConnectionHistory> Find(std::uint64_t cookie) const;

 private:
  // One connection in 16 bytes: a busy host has 100,000.
  struct Packed {
    std::uint64_t cookie;
    // Whole seconds after epoch_, rounded down: when the entry runs out unless a packet comes; while it is there.
    std::uint32_t ends_at;
    std::uint32_t state : 4;  // of the socket when its entry was last seen
    std::uint32_t entry_end : 3;
    std::uint32_t entry_state : 4;  // kNoEntryState for none
    std::uint32_t keepalive : 2;    // 0, 1, or kUnknownKeepalive
    std::uint32_t source_nat : 1;
    std::uint32_t destination_nat : 1;
    std::uint32_t translated : 1;  // translations_ has it
    std::uint32_t lost_while_open : 1;
    std::uint32_t closed_tracked : 1;
    std::uint32_t listed : 1;         // while a sample is taken: it lists the socket
    std::uint32_t timeout_scale : 4;  // entry_timeout_at_most is timeout_units << timeout_scale;
    std::uint32_t timeout_units : 9;  // 0 units: nothing
  };
  static_assert(sizeof(Packed) == 16);
  static constexpr std::uint32_t kNoEntryState = 15;
  static constexpr std::uint32_t kUnknownKeepalive = 2;
  using Translations = std::unordered_map<std::uint64_t, std::shared_ptr<const kernel::Translation>>;  // by cookie

  struct Memory {
    ConnectionHistory history;
    SteadyClock::time_point ends_at;
    kernel::TcpState state = kernel::TcpState::kEstablished;
  };
  /// In connections_; nothing for one that the last sample did not list.
  std::optional<std::size_t> PositionOf(std::uint64_t cookie) const;
  Memory Unpack(const Packed& packed) const;
  void Merge(const kernel::SocketTable& sockets, SteadyClock::time_point now);
  /// Adds to `memory` what a sample at `now` shows of its socket.
  void Learn(const kernel::TcpSocket& socket, SteadyClock::time_point now, Memory& memory) const;
  /// The most that its entry can have been given with its last packet, by this sample and those before it.
  std::optional<std::chrono::seconds> LongestTimeout(const kernel::TcpSocket& socket, SteadyClock::time_point now,
                                                     const Memory& memory) const;
  Packed Pack(std::uint64_t cookie, const Memory& memory) const;

  SteadyClock::time_point epoch_;       // of the first sample after there was no connection
  SteadyClock::time_point updated_at_;  // of the last complete sample
  std::vector<Packed> connections_;     // by cookie, ascending
  Translations translations_;           // few connections are translated
};

}  // namespace finwait::diagnosis
