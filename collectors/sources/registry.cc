#include "collectors/sources/registry.h"

#include <array>
#include <type_traits>

#include "collectors/codec/codec.h"
#include "collectors/sources/conntrack_events.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/softnet.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "collectors/sources/witness.h"

namespace finwait::sources {
namespace {

template <typename T>
std::unique_ptr<Collector> Make(const kernel::Host& host, const CollectorSettings& settings) {
  if constexpr (std::is_same_v<T, SocketsCollector>) {
    return std::make_unique<T>(host, Pacer(settings.interval, settings.cpu_budget, kSocketCountsShare),
                               settings.shared);
  } else if constexpr (std::is_same_v<T, NetworkNamespacesCollector>) {
    // What is there at the start may be read in a burst: sockets that nobody has read cannot be watched. A list takes 6
    // ms on a machine of 24 GB, more on a busy one: 200 of them are read at once, and the rest at the budget's pace.
    constexpr std::chrono::milliseconds kFirst(3000);
    return std::make_unique<T>(
        host, settings.namespaces, Pacer(settings.interval, settings.cpu_budget, kObservedEntriesShare),
        settings.namespaces.effort
            ? std::optional(WorkCredit(settings.cpu_budget, kNamespacesShare * kPartForSocketLists, kFirst))
            : std::nullopt,
        settings.shared);
  } else if constexpr (std::is_same_v<T, WitnessCollector>) {
    return std::make_unique<T>(host, settings.witness);
  } else if constexpr (std::is_same_v<T, ConntrackTableCollector>) {
    return std::make_unique<T>(host, settings.shared, settings.translated_flows, settings.table_walk);
  } else if constexpr (std::is_constructible_v<T, const kernel::Host&, const SharedReads&>) {
    return std::make_unique<T>(host, settings.shared);
  } else {
    return std::make_unique<T>(host);
  }
}

template <typename Sample>
void Encode(const SampleData& sample, codec::Encoder& encoder) {
  encoder.Put(static_cast<const Sample&>(sample));
}

template <typename Sample>
std::shared_ptr<const SampleData> Decode(codec::Decoder& decoder) {
  auto sample = std::make_shared<Sample>();
  return decoder.Take(*sample) ? sample : nullptr;
}

template <typename Collector, typename Sample>
constexpr CollectorInfo Row() {
  static_assert(Collector::kInfo.name == Sample::kCollector);
  CollectorInfo info = Collector::kInfo;
  info.make = Make<Collector>;
  info.encode = Encode<Sample>;
  info.decode = Decode<Sample>;
  return info;
}

constexpr std::array kRegistry = {
    Row<ConntrackStatsCollector, ConntrackStatsSample>(),
    Row<ConntrackTableCollector, ConntrackTableSample>(),
    Row<ConntrackEventsCollector, ConntrackEventsSample>(),
    Row<TrackingCollector, TrackingSample>(),
    Row<SysctlCollector, SysctlSample>(),
    Row<SocketsCollector, SocketsSample>(),
    Row<FirewallCollector, FirewallSample>(),
    Row<NetstatCollector, NetstatSample>(),
    Row<SoftnetCollector, SoftnetSample>(),
    Row<NetworkNamespacesCollector, NetworkNamespacesSample>(),
    Row<WitnessCollector, WitnessSample>(),
};

constexpr double SumOfShares() {
  double sum = kSharesOfNoCollector;
  for (const CollectorInfo& info : kRegistry) {
    sum += info.budget_share > 0 ? info.budget_share : kOtherShare;
  }
  return sum;
}
static_assert(SumOfShares() < 1 + 1e-9, "cpu_shares.h gives away more than there is: take from one what another gets");

}  // namespace

std::span<const CollectorInfo> CollectorRegistry() { return kRegistry; }

}  // namespace finwait::sources
