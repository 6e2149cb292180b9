#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/kernel/host.h"
#include "collectors/kernel/own_addresses.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/witness/drop.h"
#include "collectors/witness/feed.h"

namespace finwait::sources {

/// Closing packets of this network namespace that the kernel dropped, as it says itself (tracepoint skb:kfree_skb):
/// since the service started.
struct WitnessSample : SampleData {
  static constexpr std::string_view kCollector = "witness";
  static constexpr std::size_t kFields = 3;  ///< below, for codec/fields.h
  /// So many of the newest are listed.
  static constexpr std::size_t kMostDrops = 256;

  witness::Counts packets = {};
  /// Of `packets`, those of which nothing more is known.
  std::uint64_t lost_events = 0;
  std::vector<witness::Drop> drops;  ///< by their numbers, ascending
};

/// Takes in what the process that witnesses tells (exporter/witness.h). Fails with its reason where it cannot, and once
/// it has ended.
class WitnessCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = WitnessSample::kCollector,
      .summary = "closing packets that the kernel drops, by its own word (BPF)",
      .reads = "a BPF program at the tracepoint `skb:kfree_skb`, loaded by a process of its own; netlink",
      .capability = Capability::kBpf,
      .enabled_by_default = false,
  };

  /// `feed`: null where nobody witnesses, as only the service has the process for it.
  WitnessCollector(const kernel::Host& host, std::shared_ptr<witness::FeedReader> feed)
      : own_(host), feed_(std::move(feed)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  void TakeIn(const witness::FeedReader::News& news);
  witness::Drop DropOf(const witness::TextedEvent& event);

  kernel::OwnAddresses own_;
  std::shared_ptr<witness::FeedReader> feed_;
  bool started_ = false;
  std::optional<Error> why_not_;
  std::uint64_t drops_ = 0;
  WitnessSample sample_;
  // Of packets that had no route yet when they were dropped: those that were not for this host.
  std::array<std::array<std::uint64_t, FINWAIT_CLASSES>, FINWAIT_PACKETS> passing_ = {};
};

}  // namespace finwait::sources
