#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "collectors/kernel/host.h"
#include "collectors/kernel/socket_table.h"

namespace finwait::kernel {

/// Conntrack zones other than 0 that entries were seen in, in either direction.
using ConntrackZones = std::set<std::uint16_t>;

/// The zones that whoever streamed the conntrack table last has seen. Thread-safe: collectors share it.
class KnownZones {
 public:
  /// For how long one stream's zones are taken for all there are: rulesets that set zones rarely change.
  static constexpr std::chrono::minutes kValid{10};

  void Set(ConntrackZones zones, SteadyClock::time_point at);
  /// Those seen last, whenever that was.
  ConntrackZones Get() const;
  /// Whether a stream within kValid before `now` has shown them.
  bool IsValid(SteadyClock::time_point now) const;

 private:
  mutable std::mutex mutex_;
  ConntrackZones zones_;
  std::optional<SteadyClock::time_point> seen_at_;
};

/// Asks conntrack for the entry of each of `sockets` at `positions`, in zone 0 and then in each of `zones`, and sets
/// what it finds: kTracked or kUntracked.
Result<void> AskForEntries(const Host& host, std::span<const std::size_t> positions, const ConntrackZones& zones,
                           Deadline deadline, SocketTable& sockets);

/// What a streamed table held.
struct StreamedEntries {
  std::uint64_t entries = 0;
  ConntrackZones zones;
};
/// Streams the whole table, of all zones, and sets the entries that it finds. The entries of the other sockets stay as
/// they were.
Result<StreamedEntries> StreamEntries(const Host& host, Deadline deadline, SocketTable& sockets);

/// Joins sockets with their conntrack entries, by whichever way has measured cheaper: asking costs by the socket,
/// streaming by the entry. Sockets are to be read first, so that one which opens meanwhile is not there to be missed,
/// and one that closes meanwhile still has its entry. A socket that a streamed table did not show is asked for before
/// it is called untracked. The kernel looks an entry up in one zone, so that a table in which zones may be is streamed
/// before the first socket is called untracked, and again from time to time. Needs CAP_NET_ADMIN. Not thread-safe.
class EntryJoin {
 public:
  /// How entries are found.
  enum class Strategy {
    kAsk,    ///< each socket's entry is asked for by its addresses
    kStream  ///< the table is streamed past a hash of the sockets
  };

  explicit EntryJoin(std::shared_ptr<KnownZones> zones) : zones_(std::move(zones)) {}

  /// Sets the entry of each of `sockets`. After an error they are not to be used.
  Result<Strategy> Join(const Host& host, Deadline deadline, SocketTable& sockets);

 private:
  Result<void> Stream(const Host& host, std::uint64_t entries, Deadline deadline, SocketTable& sockets);
  Result<void> Ask(const Host& host, std::span<const std::size_t> positions, const ConntrackZones& zones,
                   Deadline deadline, SocketTable& sockets);

  // Seconds of CPU, moving averages, which begin with what was measured on Linux 6.18 (docs/performance.md).
  static constexpr double kAskCost = 4e-6;     // by the socket
  static constexpr double kStreamCost = 2e-6;  // by the entry
  double ask_cost_ = kAskCost;
  double stream_cost_ = kStreamCost;
  std::shared_ptr<KnownZones> zones_;
};

}  // namespace finwait::kernel
