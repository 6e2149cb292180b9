#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

#include "collectors/base/wide_counter.h"
#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"

namespace finwait::sources {

/// What the CPUs' receive queues lost or put off: of the whole host, as all network namespaces share them. A FIN or an
/// ACK that is lost here looks like one that a rule dropped.
struct SoftnetSample : SampleData {
  static constexpr std::string_view kCollector = "softnet";
  static constexpr std::size_t kFields = 2;  ///< below, for codec/fields.h

  /// Packets dropped because a CPU's backlog was full (netdev_max_backlog) or one flow took too much of it
  /// (softnet_data.dropped).
  std::uint64_t dropped = 0;
  /// Times that a CPU stopped to receive with packets left, as its budget or time was used up
  /// (softnet_data.time_squeeze).
  std::uint64_t times_squeezed = 0;
};

inline constexpr Metric kSoftnetMetrics[] = {
    {"softnet_dropped_total", MetricType::kCounter,
     "Received packets dropped because a CPU's backlog was full, on the whole host (column dropped of "
     "softnet_seq_show, net/core/net-procfs.c).",
     Field<&SoftnetSample::dropped>},
    {"softnet_times_squeezed_total", MetricType::kCounter,
     "Times that a CPU stopped to receive with packets left, on the whole host (column time_squeeze of "
     "softnet_seq_show, net/core/net-procfs.c).",
     Field<&SoftnetSample::times_squeezed>},
};

/// Reads SoftnetSample from <procfs>/thread-self/net/softnet_stat: a line for each CPU that is online, in columns of
/// hexadecimal 32-bit numbers, which are widened to 64 bits and summed. A CPU that goes offline keeps what it counted.
/// A file that cannot be understood to its end is a failure; kUnsupported where its lines do not name their CPU, as
/// on old kernels.
class SoftnetCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = SoftnetSample::kCollector,
      .summary = "packets that the CPUs' receive queues dropped or put off",
      .reads = "`/proc/thread-self/net/softnet_stat`",
      .metrics = kSoftnetMetrics,
  };

  explicit SoftnetCollector(const kernel::Host& host) : host_(host) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  struct CpuCounters {
    WideCounter dropped;
    WideCounter times_squeezed;
  };

  kernel::Host host_;
  std::map<std::uint32_t, CpuCounters> cpus_;  // by CPU number; at most kMostCpus of softnet.cc
};

}  // namespace finwait::sources
