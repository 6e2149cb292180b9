#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"
#include "collectors/sources/shared_reads.h"

namespace finwait::sources {

/// All unfinished sockets, each with its idle time, and with its conntrack entry or without.
struct TrackingSample : SampleData {
  static constexpr std::string_view kCollector = "tracking";
  static constexpr std::size_t kFields = 2;  ///< below, for codec/fields.h

  kernel::SocketTable sockets;
  kernel::EntryJoin::Strategy strategy = kernel::EntryJoin::Strategy::kAsk;
};

/// Walks all sockets once, counts them for `sockets`, and joins the unfinished ones with their entries. Needs
/// CAP_NET_ADMIN.
class TrackingCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = TrackingSample::kCollector,
      .summary = "which live sockets have a conntrack entry, for how long, and through which NAT",
      .reads = "netlink",
      .capability = Capability::kNetAdmin,
      .budget_share = kTrackingShare,
  };

  explicit TrackingCollector(kernel::Host host, SharedReads shared = {})
      : host_(std::move(host)),
        census_(std::move(shared.census)),
        own_timeouts_(std::move(shared.own_timeouts)),
        join_(std::move(shared.zones)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
  std::shared_ptr<SocketCensus> census_;
  std::shared_ptr<KnownOwnTimeouts> own_timeouts_;
  kernel::EntryJoin join_;
};

}  // namespace finwait::sources
