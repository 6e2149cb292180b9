#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "collectors/kernel/expiry_listener.h"
#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"

namespace finwait::sources {

/// The TCP entries of one network namespace's conntrack table that timed out in a live state since the collector's
/// first collection: connections whose two ends may both be open, and whose next FIN or RST will be INVALID.
struct ConntrackEventsSample : SampleData {
  static constexpr std::string_view kCollector = "conntrack_events";
  static constexpr std::size_t kFields = 1;  ///< below, for codec/fields.h

  /// Counts only grow. `counts.losses` is more than 0 where `counts.expired` is too low; by how much is not known, but
  /// for `counts.paused` nothing was heard at all.
  kernel::ExpiryCounts counts;
};

/// Listens to conntrack's DESTROY events of this namespace between collections, and tells in each what it has counted.
/// The kernel filters them (LiveExpiryFilter). Needs CAP_NET_ADMIN to subscribe; kUnsupported where
/// net.netfilter.nf_conntrack_events is 0.
///
/// What is not counted: an entry that is older than the listener, as under the default nf_conntrack_events=2 the kernel
/// tells only of entries that were made while somebody, in any namespace, listened (1: of all); a deletion or a flush.
/// One is counted twice that another listener made the kernel send again because it had no room for it
/// (NETLINK_BROADCAST_ERROR: conntrackd's reliable mode).
///
/// When it is counted: conntrack collects expired entries when a packet or a dump comes across them, and by a worker
/// that passes every 1 to 60 s (gc_worker), so an event can come a minute late; where the conntrack_table collector
/// dumps the table, by its next collection.
///
/// What it costs: the kernel prepares each new entry for events and makes a message of each that ends, in every
/// namespace, before any filter looks at it; about 3 us a connection (docs/verification.md), which only less listening
/// saves. So the listener keeps account of the entries that are made in this namespace (CreationProbe), and where
/// listening would take more than 2 % of a core, from some 6 500 of them a second, it listens only for as much of the
/// time as 2 % pay for (ListeningBudget). Each pause counts as a loss, and its length as paused. Under
/// nf_conntrack_events=2 an entry is then heard of only if it was both made and ended while somebody listened: of those
/// that live longer than a pause that is about the square of the share of the time; under 1, the share itself.
///
/// Not accounted for: entries of other namespaces, which the kernel makes messages of as well. Where somebody else
/// listens to the same events, the kernel makes them anyhow, and a pause saves next to nothing.
class ConntrackEventsCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = ConntrackEventsSample::kCollector,
      .summary = "TCP entries that timed out while their connection was open, as the kernel tells of them",
      .reads = "netlink, by subscription; `/proc/sys/net/netfilter/nf_conntrack_events`",
      .capability = Capability::kNetAdmin,
  };

  explicit ConntrackEventsCollector(kernel::Host host, const kernel::ListeningLimits& limits = {})
      : host_(std::move(host)), limits_(limits) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
  kernel::ListeningLimits limits_;
  kernel::ExpiryCounts counts_;  // of the listeners before this one
  std::unique_ptr<kernel::ExpiryListener> listener_;
};

}  // namespace finwait::sources
