#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/idle_history.h"
#include "exporter/diagnosis/path_timeout.h"

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

/// Live connections that share the port of the service: the peer's where this end opened them, else this host's.
struct ServiceIdle {
  std::uint16_t port = 0;
  bool at_peer = false;
  std::uint64_t sockets = 0;
  std::uint32_t longest_seconds = 0;               ///< silence now
  LadderCounts outlived_without_keepalive = {};    ///< see IdleSummary
  std::array<std::uint64_t, 3> by_keepalive = {};  ///< by Keepalive
};

/// Connections to the peers of one path.
struct PathIdle {
  PathTimeout path;
  std::uint64_t expiring = 0;  ///< silent for longer than the path remembers
};

/// How long the live connections have been silent, and which timeout would forget which of them.
struct IdleSummary {
  sources::AgeHistogram idle;
  std::uint64_t sockets = 0;  ///< in `idle`
  /// Silent for longer than the timeout, and those of them without a keepalive that is due before it.
  LadderCounts outlived = {};
  LadderCounts outlived_without_keepalive = {};
  std::array<std::uint64_t, 3> by_keepalive = {};  ///< by Keepalive
  /// After which silence conntrack here forgets a connection that is open both ways: the shortest of those seen;
  /// nothing where none is known.
  std::optional<std::uint32_t> shortest_timeout_seconds;
  std::vector<PathIdle> paths;  ///< in the order given
  SilenceSketch::Summary last_24_hours;
  /// The longest silence that a tracker must outlive to forget nothing seen: of a connection now, of one that spoke
  /// again within 24 hours, or the time after which a keepalive comes.
  std::uint32_t longest_needed_seconds = 0;
  /// Most `outlived_without_keepalive` of the shortest timeout first; at most kMostServices, the rest are not listed.
  std::vector<ServiceIdle> services;
  static constexpr std::size_t kMostServices = 20;
};

/// A pure function. `sysctl`: null where the timeouts cannot be read. `active`: whether conntrack is active, by
/// IpFamily. `history` has taken in `sample`.
IdleSummary SumUpIdle(const sources::TrackingSample& sample, const IdleHistory& history,
                      const sources::SysctlSample* sysctl, const std::array<bool, 2>& active,
                      std::span<const PathTimeout> paths, SteadyClock::time_point now);

}  // namespace finwait::diagnosis
