#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/idle_history.h"
#include "exporter/diagnosis/path_timeout.h"
#include "exporter/diagnosis/timeout_in_force.h"

namespace finwait::diagnosis {

/// Whether a socket's keepalive would keep its connection known to what forgets silent ones.
enum class Keepalive : std::size_t {
  kOff,
  kLonger,      ///< than the timeout in force
  kSufficient,  ///< or there is no timeout
};
inline constexpr Keepalive kKeepalives[] = {Keepalive::kOff, Keepalive::kLonger, Keepalive::kSufficient};
/// "off", "longer" or "sufficient".
std::string_view Name(Keepalive keepalive);

/// What a timeout in force does to connections that are open both ways.
struct TimeoutEffect {
  std::uint64_t sockets = 0;            ///< that are under it
  std::uint64_t forgotten = 0;          ///< silent for longer
  std::uint64_t late_keepalive = 0;     ///< not yet, and their keepalive comes after it
  std::uint64_t without_keepalive = 0;  ///< not yet, and they have none
  std::uint64_t spoke_again = 0;        ///< silences within 24 hours that were longer, after which one spoke again

  void Add(const TimeoutEffect& other);
  /// Whether nothing that was seen has been forgotten, or is bound to be.
  bool IsSafe() const { return forgotten + late_keepalive + spoke_again == 0; }
};

/// Live connections that share the port of the service and the holder of this end.
struct ServiceIdle {
  IdleService service;
  std::shared_ptr<const kernel::namespaces::Owner> owner;  ///< null: cannot be told
  std::uint64_t sockets = 0;
  std::uint32_t longest_seconds = 0;               ///< silence now
  LadderCounts outlived_without_keepalive = {};    ///< see IdleSummary
  LadderCounts spoke_again = {};                   ///< silences within 24 hours after which one spoke again
  TimeoutEffect in_force;                          ///< of the shortest timeout over each, conntrack's or the path's
  TimeoutEffect local;                             ///< of the sysctl; see IdleSummary
  std::array<TimeoutEffect, kMostPaths> paths;     ///< of each path, as in IdleSummary::paths
  std::array<std::uint64_t, 3> by_keepalive = {};  ///< by Keepalive

  /// Takes in `other`, whose service is the same for whoever reads it.
  void Add(const ServiceIdle& other);
  /// What that timeout of the ladder has forgotten, or would have within 24 hours.
  std::uint64_t Forgotten(std::size_t step) const { return outlived_without_keepalive[step] + spoke_again[step]; }
};

/// Connections to the peers of one path.
struct PathIdle {
  PathTimeout path;
  std::uint64_t expiring = 0;  ///< silent for longer than the path remembers
  TimeoutEffect effect;
  std::uint32_t longest_needed_seconds = 0;  ///< see IdleSummary
};

/// How long the live connections have been silent, and which timeout would forget which of them.
struct IdleSummary {
  sources::AgeHistogram idle;
  std::uint64_t sockets = 0;  ///< in `idle`
  /// Connections of other namespaces whose silence cannot be told: their lists have no idle time, and no entry of this
  /// host's tells.
  std::uint64_t untold = 0;
  /// Silent for longer than the timeout; and those of them that are open both ways and have no keepalive that is due
  /// before it.
  LadderCounts outlived = {};
  LadderCounts outlived_without_keepalive = {};
  std::array<std::uint64_t, 3> by_keepalive = {};  ///< by Keepalive
  /// After which silence conntrack here forgets a connection that is open both ways: the shortest of those seen;
  /// nothing where none is known.
  std::optional<std::uint32_t> shortest_timeout_seconds;
  TimeoutEffect local;     ///< of the sysctl, on those whose entries conntrack gives that
  TimeoutEffect in_force;  ///< of the shortest over each, conntrack's or the path's
  TimeoutEffect own;       ///< of timeouts that no sysctl gave (`ct timeout`), on those whose entries have one
  /// Open both ways and without an entry, though silent for less than the timeout: removed, or never tracked, or under
  /// a timeout of its own that was shorter.
  std::uint64_t missing_entries = 0;
  std::vector<PathIdle> paths;      ///< in the order given; a connection is of the most specific that covers its peer
  std::chrono::seconds watched{0};  ///< from the first sample to the last; 0: there was only one
  SilenceSketch::Summary last_24_hours;
  /// The longest silence that a tracker must outlive to forget nothing seen: of a connection now, of one that spoke
  /// again within 24 hours, or the time after which a keepalive comes. Of connections that are open both ways, and of
  /// those that the peer has closed (conntrack's CLOSE_WAIT).
  std::uint32_t longest_needed_seconds = 0;
  std::uint32_t longest_needed_half_closed_seconds = 0;
  std::uint64_t half_closed = 0;  ///< of `sockets`: the peer has closed
  /// Most ServiceIdle::Forgotten() by the shortest timeout first; at most kMostServices, the rest are not listed.
  std::vector<ServiceIdle> services;
  static constexpr std::size_t kMostServices = 20;

  /// Keeps the first kMostServices, in their order.
  void SortServices();
};

/// Of `sockets`, which `history` has taken in last; `namespaces` as there. A pure function.
IdleSummary SumUpIdle(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
                      const IdleHistory& history, const IdleContext& context, SteadyClock::time_point now);

/// Adds connections of other namespaces to this host's own. Both have the same paths.
void Add(const IdleSummary& others, IdleSummary& own);

}  // namespace finwait::diagnosis
