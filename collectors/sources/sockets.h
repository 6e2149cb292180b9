#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/pacer.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/kernel/tcp_socket.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"
#include "collectors/sources/shared_reads.h"

namespace finwait::sources {

/// TCP sockets of one network namespace, from sock_diag (inet_diag).
struct SocketsSample : SampleData {
  static constexpr std::string_view kCollector = "sockets";
  static constexpr std::size_t kFields = 8;  ///< below, for codec/fields.h
  /// More closing sockets than this are counted in `orphans` but not listed.
  static constexpr std::size_t kMaxClosing = 65536;

  /// Then by TcpState. A count of every socket needs a walk of them all, so it may be older than the rest.
  PerFamily<kernel::SocketCounts> counts = {};
  SteadyClock::time_point counts_taken_at;
  SteadyClock::duration counts_interval{0};  ///< at most, from one count to the next
  /// Sockets that no process holds; only fin_wait_1, fin_wait_2, closing and last_ack are filled.
  kernel::SocketCounts orphans = {};
  /// FIN_WAIT_1, CLOSING and LAST_ACK, with tcp_info, and with their conntrack entries as they were at the same time:
  /// Tracking::kUnknown where conntrack cannot be asked, whose reason the collector `tracking` tells.
  std::vector<kernel::TcpSocket> closing;
  std::uint64_t closing_unlisted = 0;
  /// All unfinished sockets with their idle times and without entries, where conntrack cannot be asked: `tracking` has
  /// none then. Listed when all are counted; a sample in between has none.
  kernel::SocketTable unfinished;
  bool lists_unfinished = false;
};

/// Reads the sockets in closing states, joined with their entries, at every collection. Counts all sockets as often as
/// its share of CPU time allows, unless `tracking` has done so meanwhile. Needs no capability but for the entries.
class SocketsCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = SocketsSample::kCollector,
      .summary = "TCP sockets by state, orphans, and closing sockets with timer and tries",
      .reads = "netlink",
      .budget_share = kClosingSocketsShare,
  };

  SocketsCollector(kernel::Host host, Pacer pacer, SharedReads shared = {})
      : host_(std::move(host)),
        pacer_(std::move(pacer)),
        census_(std::move(shared.census)),
        join_(std::move(shared.zones)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  /// Counts all sockets if that is due, and lists them in `sample` where `tracking` cannot. Returns the CPU time that
  /// it took.
  Result<std::chrono::nanoseconds> KeepCounted(Deadline deadline, SocketsSample& sample);
  void JoinEntries(Deadline deadline, std::vector<kernel::TcpSocket>& closing);

  kernel::Host host_;
  Pacer pacer_;
  std::shared_ptr<SocketCensus> census_;
  kernel::EntryJoin join_;
};

}  // namespace finwait::sources
