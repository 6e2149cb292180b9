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
#include "exporter/diagnosis/entry_evidence.h"
#include "exporter/diagnosis/idle_service.h"
#include "exporter/diagnosis/timeout_in_force.h"

namespace finwait::diagnosis {

/// The timeouts that are compared, in seconds: what conntrack, clouds and RFC 5382 have. See docs/timeouts.md.
inline constexpr std::array<std::uint32_t, 8> kTimeoutLadder = {60, 240, 350, 600, 900, 3600, 7440, 86400};
/// Counts by position in kTimeoutLadder.
using LadderCounts = std::array<std::uint64_t, kTimeoutLadder.size()>;

/// How many silences that were longer than a timeout ended, as the connection spoke again.
struct SpokeAgain {
  LadderCounts longer = {};                           ///< than each timeout of the ladder
  std::uint64_t than_local = 0;                       ///< than the sysctl's, as it was then
  std::uint64_t than_own = 0;                         ///< than what no sysctl gave (`ct timeout`)
  std::array<std::uint64_t, kMostPaths> than_path{};  ///< than the path's, by position in IdleContext::paths
  std::uint64_t in_force = 0;                         ///< than the shortest of these

  void Add(const SpokeAgain& other);
  bool Any() const { return longer.front() > 0 || in_force > 0; }
};

/// How long connections were silent before they spoke again, over the last 24 hours: 24 slots of one hour, and in each
/// at most kMostServices services, whatever the host holds.
class SilenceSketch {
 public:
  /// Of each hour, those that spoke again after more than the shortest timeout first; what others did counts in
  /// `longer` alone.
  static constexpr std::size_t kMostServices = 32;

  /// What it shows.
  struct Summary {
    /// Of connections that were open both ways; 0: none spoke again after a silence of interest.
    std::uint32_t largest_seconds = 0;
    std::uint32_t largest_local_seconds = 0;                       ///< of those under the sysctl's timeout
    std::array<std::uint32_t, kMostPaths> largest_path_seconds{};  ///< of those to each path's peers
    SpokeAgain spoke_again;                                        ///< of them
    std::map<IdleService, SpokeAgain> by_service;                  ///< the same
    std::uint32_t largest_half_closed_seconds = 0;                 ///< of connections that the peer had closed

    /// Adds what `other` shows, of other connections or of another time.
    void Add(const Summary& other);
  };

  /// A connection spoke after a silence of `seconds`, while `timeout` was in force on `paths`.
  void Add(const IdleService& service, bool half_closed, std::uint32_t seconds, const TimeoutInForce& timeout,
           std::span<const PathTimeout> paths, SteadyClock::time_point now);
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
  /// Without a packet either way. A keepalive of the peer's is one, where the entry or a sample since has told of it.
  std::uint32_t seconds = 0;
  /// The silence after which a keepalive probe is sent; nothing with keepalive off. At least that: a timer that was set
  /// before the last packet is set again when it fires. The longest that any sample showed.
  std::optional<std::uint32_t> keepalive_seconds;
};

/// Remembers, by socket cookie, how silent each live connection of the last sample was: 16 bytes for each that was
/// silent for a time of interest, has a keepalive, or may have been spoken to by its peer's. Not thread-safe.
class IdleHistory {
 public:
  /// In seconds: shorter silences are of no interest. Half of the shortest timeout compared, and of the shortest in
  /// force where that is shorter.
  static constexpr std::uint32_t kLeastSilence = 30;

  /// What the idle times of a sample are.
  enum class Source {
    kTcpInfo,  ///< of tcp_info, which does not date a keepalive of the peer's
    kEntries,  ///< of conntrack entries (SilenceByEntry), which every packet refreshes
  };

  /// Takes the sockets of a sample that was complete at `now`. `namespaces`: by position in `sockets`
  /// sources::OtherNamespace::id; empty: all are this host's own. Drops everything if it throws, for want of memory.
  void Update(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces, Source source,
              const IdleContext& context, SteadyClock::time_point now);

  /// Of an open socket of the last sample; nothing where the kernel did not tell.
  std::optional<Silence> Of(const kernel::TcpSocket& socket) const;
  SilenceSketch::Summary Last24Hours(SteadyClock::time_point now) const { return sketch_.Last24Hours(now); }
  /// From the first sample to the last: for how long it has watched.
  std::chrono::seconds Watched() const;

 private:
  struct Packed {
    std::uint64_t cookie;
    std::uint32_t seconds : 22;  // of silence; where is_unsure, that which samples have seen
    std::uint32_t segments : 8;
    std::uint32_t listed : 1;              // while a sample is taken: it lists the socket
    std::uint32_t half_closed : 1;         // the peer had closed
    std::uint32_t keepalive_seconds : 22;  // 0: off, as far as seen
    std::uint32_t is_unsure : 1;  // a keepalive of the peer's may have come before the first sample, and none has since
    std::uint32_t is_longer : 1;  // EntryEvidence::SilenceBound
    std::uint32_t unacknowledged : 1;  // something that was sent
    std::uint32_t : 7;
  };
  static_assert(sizeof(Packed) == 16);
  static constexpr std::uint32_t kMostSeconds = (1U << 22) - 1;  // 48 days

  /// What one sample is held against.
  struct Terms {
    EntryEvidence* entries;  // null: Source::kEntries
    const IdleContext& context;
    std::uint32_t least_seconds;
    std::uint32_t elapsed;  // since the last sample
    SteadyClock::time_point now;
  };
  void Merge(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces, const Terms& terms);
  Packed Learn(const kernel::TcpSocket& socket, std::uint64_t network_namespace, const Packed* before,
               const Terms& terms);
  const Packed* Find(std::uint64_t cookie) const;

  std::optional<SteadyClock::time_point> first_taken_at_;
  SteadyClock::time_point taken_at_;
  std::vector<Packed> connections_;  // by cookie, ascending
  bool openers_are_told_ = false;    // by this kernel: TcpSocket::opened_here
  SilenceSketch sketch_;
};

}  // namespace finwait::diagnosis
