#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/base/wide_counter.h"
#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"

namespace finwait::sources {

/// The counters of ctnetlink that this program shows (enum ctattr_stats_cpu), in the order of its metrics.
enum class ConntrackStat : std::uint8_t {
  kFound,
  kInvalid,
  kInsert,
  kInsertFailed,
  kDrop,
  kEarlyDrop,
  kError,
  kSearchRestart,
  kClashResolve,
  kChainTooLong,
};
inline constexpr std::size_t kConntrackStatCount = 10;

/// The name that ctnetlink and `conntrack -S` use, such as "insert_failed".
std::string_view Name(ConntrackStat stat);

/// Conntrack's counters and its table's size, for one network namespace.
struct ConntrackStatsSample : SampleData {
  static constexpr std::string_view kCollector = "conntrack_stats";
  static constexpr std::size_t kFields = 4;  ///< below, for codec/fields.h

  /// By ConntrackStat: the kernel's 32-bit per-CPU counters, widened to 64 bits and summed. Nothing for one that this
  /// kernel does not send (chain_too_long before Linux 5.15).
  std::array<std::optional<std::uint64_t>, kConntrackStatCount> counters;
  /// The table is shared by all network namespaces: entries are this namespace's, limit and buckets are for all
  /// (nf_conntrack_count, nf_conntrack_max, nf_conntrack_buckets).
  std::optional<std::uint64_t> entries;
  std::optional<std::uint64_t> entries_limit;
  std::optional<std::uint64_t> buckets;
};

inline constexpr Metric kConntrackStatsMetrics[] = {
    {"conntrack_entries", MetricType::kGauge,
     "Entries of this network namespace, expired ones that wait for collection included (nf_conntrack_count).",
     Field<&ConntrackStatsSample::entries>},
    {"conntrack_entries_limit", MetricType::kGauge, "The most entries the table may hold (nf_conntrack_max).",
     Field<&ConntrackStatsSample::entries_limit>},
    {"conntrack_buckets", MetricType::kGauge,
     "Hash buckets of the table, shared by all namespaces (nf_conntrack_buckets).",
     Field<&ConntrackStatsSample::buckets>},
};

/// Reads per-CPU statistics by ctnetlink (CAP_NET_ADMIN) and the table's size from procfs (no capability).
class ConntrackStatsCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = ConntrackStatsSample::kCollector,
      .summary = "conntrack's counters and the size of its table",
      .reads = "`/proc/sys/net/netfilter/nf_conntrack_{count,max,buckets}`; netlink",
      .capability = Capability::kNetAdmin,
      .part = "the counters",
      .metrics = kConntrackStatsMetrics,
  };

  explicit ConntrackStatsCollector(kernel::Host host) : host_(std::move(host)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  using CpuCounters = std::array<WideCounter, kConntrackStatCount>;
  Result<void> ReadCounters(Deadline deadline, ConntrackStatsSample& sample);

  kernel::Host host_;
  std::vector<CpuCounters> cpus_;  // by CPU number
};

namespace conntrack_stats {

/// One CPU's counters as they are in a ctnetlink message.
struct CpuRecord {
  std::uint16_t cpu = 0;
  std::array<std::optional<std::uint32_t>, kConntrackStatCount> counters;
};
Result<conntrack_stats::CpuRecord> Decode(const kernel::netlink::Message& message);

}  // namespace conntrack_stats

}  // namespace finwait::sources
