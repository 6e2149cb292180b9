#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "collectors/base/pacer.h"
#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/idle_service.h"

namespace finwait::diagnosis {

/// The timeouts that are compared, in seconds: what conntrack, clouds and RFC 5382 have. See docs/timeouts.md.
inline constexpr std::array<std::uint32_t, 8> kTimeoutLadder = {60, 240, 350, 600, 900, 3600, 7440, 86400};
/// Counts by position in kTimeoutLadder.
using LadderCounts = std::array<std::uint64_t, kTimeoutLadder.size()>;

/// How long connections were silent before they spoke again, over the last 24 hours: 24 slots of one hour, and in each
/// at most kMostServices services, whatever the host holds.
class SilenceSketch {
 public:
  /// Of each hour, those that spoke again after more than the shortest timeout first; what others did counts in
  /// `longer` alone.
  static constexpr std::size_t kMostServices = 32;

  /// What it shows.
  struct Summary {
    /// Of connections that were open both ways; 0: none spoke again after kLeastSilence.
    std::uint32_t largest_seconds = 0;
    LadderCounts longer = {};                        ///< of them, silences that were longer than the timeout
    std::map<IdleService, LadderCounts> by_service;  ///< the same
    std::uint32_t largest_half_closed_seconds = 0;   ///< of connections that the peer had closed

    /// Adds what `other` shows, of other connections or of another time.
    void Add(const Summary& other);
  };

  /// A connection spoke after a silence of `seconds`.
  void Add(const IdleService& service, bool half_closed, std::uint32_t seconds, SteadyClock::time_point now);
  Summary Last24Hours(SteadyClock::time_point now) const;

 private:
  struct Slot {
    std::int64_t hour = -1;  // since the clock's epoch
    Summary silences;
  };
  std::array<Slot, 24> slots_;  // by hour modulo 24
};

/// What one sample and those before it tell of a live socket's silence.
struct Silence {
  std::uint32_t seconds = 0;  ///< without a packet either way, a keepalive of the peer's included once a sample saw it
  /// The silence after which a keepalive probe is sent; nothing with keepalive off. At least that: a timer that was set
  /// before the last packet is set again when it fires. The longest that any sample showed.
  std::optional<std::uint32_t> keepalive_seconds;
};

/// Remembers, by socket cookie, how silent each live connection of the last sample was: 16 bytes for each that was
/// silent for kLeastSilence or has a keepalive. Not thread-safe.
class IdleHistory {
 public:
  /// In seconds: shorter silences are of no interest. Half of the shortest timeout compared.
  static constexpr std::uint32_t kLeastSilence = 30;

  /// Takes the sockets of a sample that was complete at `now`. `namespaces`: by position in `sockets`
  /// sources::OtherNamespace::id; empty: all are this host's own. Forgets everything if it throws, for want of memory.
  void Update(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
              SteadyClock::time_point now);

  /// Of an open socket of the last sample; nothing where the kernel did not tell.
  std::optional<Silence> Of(const kernel::TcpSocket& socket) const;
  SilenceSketch::Summary Last24Hours(SteadyClock::time_point now) const { return sketch_.Last24Hours(now); }

 private:
  struct Packed {
    std::uint64_t cookie;
    std::uint32_t seconds : 23;
    std::uint32_t segments : 8;
    std::uint32_t listed : 1;              // while a sample is taken: it lists the socket
    std::uint32_t keepalive_seconds : 31;  // 0: off, as far as seen
    std::uint32_t half_closed : 1;         // the peer had closed
  };
  static_assert(sizeof(Packed) == 16);

  void Merge(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
             SteadyClock::time_point now);
  Packed Learn(const kernel::TcpSocket& socket, std::uint64_t network_namespace, const Packed* before,
               std::uint32_t elapsed, SteadyClock::time_point now);
  const Packed* Find(std::uint64_t cookie) const;

  SteadyClock::time_point taken_at_;
  std::vector<Packed> connections_;  // by cookie, ascending
  SilenceSketch sketch_;
};

}  // namespace finwait::diagnosis
