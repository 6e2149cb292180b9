#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/pacer.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/socket_record.h"
#include "collectors/kernel/tcp_state.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"

namespace finwait::sources {

/// Sockets by state for one IP family.
using SocketCounts = std::array<std::uint64_t, kernel::kTcpStateCount>;

/// TCP sockets of one network namespace, from sock_diag (inet_diag).
struct SocketsSample : SampleData {
  static constexpr std::string_view kCollector = "sockets";
  /// More closing sockets than this are counted in `orphans` but not listed.
  static constexpr std::size_t kMaxClosing = 65536;

  /// By IpFamily, then TcpState. A count of every socket needs a walk of them all, so it may be older than the rest.
  std::array<SocketCounts, 2> counts = {};
  SteadyClock::time_point counts_taken_at;
  SteadyClock::duration counts_interval{0};  ///< from one count to the next
  /// Sockets that no process holds; only fin_wait_1, fin_wait_2, closing and last_ack are filled.
  SocketCounts orphans = {};
  std::vector<kernel::ClosingSocket> closing;
  std::uint64_t closing_unlisted = 0;
};

/// Reads the sockets in closing states at every look, and counts all sockets as often as its share of CPU time allows.
/// Needs no capability.
class SocketsCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = SocketsSample::kCollector,
      .summary = "TCP sockets by state, orphans, and closing sockets with timer and tries",
      .reads = "netlink",
      .budget_share = kClosingSocketsShare,
  };

  SocketsCollector(kernel::Host host, Pacer pacer) : host_(std::move(host)), pacer_(std::move(pacer)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
  Pacer pacer_;
  std::array<SocketCounts, 2> counts_ = {};
  SteadyClock::time_point counts_taken_at_;
};

}  // namespace finwait::sources
