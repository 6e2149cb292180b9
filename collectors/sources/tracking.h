#pragma once

#include <string_view>
#include <vector>

#include "collectors/kernel/host.h"
#include "collectors/kernel/live_socket_list.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"

namespace finwait::sources {

/// Which live sockets have a conntrack entry.
struct TrackingSample : SampleData {
  static constexpr std::string_view kCollector = "tracking";

  /// How the entries were found.
  enum class Strategy {
    kAsk,    ///< each socket's entry was asked for by its addresses
    kStream  ///< the table was streamed past a hash of the sockets
  };

  kernel::LiveSocketList sockets;
  Strategy strategy = Strategy::kAsk;
};

/// Reads live sockets, then their conntrack entries, by whichever way has measured cheaper: asking costs by the socket,
/// streaming by the entry. Sockets are read first, so that one which opens meanwhile is not there to be missed, and one
/// that closes meanwhile still has its entry. A socket that a streamed table did not show is asked for before it is
/// called untracked. Needs CAP_NET_ADMIN.
class TrackingCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = TrackingSample::kCollector,
      .summary = "which live sockets have a conntrack entry, for how long, and through which NAT",
      .reads = "netlink",
      .capability = Capability::kNetAdmin,
      .budget_share = kTrackingShare,
  };

  explicit TrackingCollector(kernel::Host host) : host_(std::move(host)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
  // Seconds of CPU, moving averages, which begin with what was measured on Linux 6.18 (docs/performance.md).
  static constexpr double kAskCost = 4e-6;     // by the socket
  static constexpr double kStreamCost = 2e-6;  // by the entry
  double ask_cost_ = kAskCost;
  double stream_cost_ = kStreamCost;
};

namespace tracking {

/// Asks conntrack for the entry of each socket at `positions` and marks those that have one.
Result<void> AskForEntries(const kernel::Host& host, const std::vector<std::size_t>& positions, Deadline deadline,
                           kernel::LiveSocketList& sockets);

/// Streams the whole table and marks the sockets that have an entry. Returns the number of entries.
Result<std::uint64_t> StreamTable(const kernel::Host& host, Deadline deadline, kernel::LiveSocketList& sockets);

}  // namespace tracking

}  // namespace finwait::sources
