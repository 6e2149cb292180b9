#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"

namespace finwait::sources {

/// The kernel's own TCP counters that move when a close goes wrong, counted since the network namespace was made. A
/// counter that this kernel does not have is absent.
struct NetstatSample : SampleData {
  static constexpr std::string_view kCollector = "netstat";
  static constexpr std::size_t kFields = 7;  ///< below, for codec/fields.h

  /// TcpExt TCPAbortFailed: a RST that could not be sent (no memory, or dropped on the way out).
  std::optional<std::uint64_t> abort_failed;
  /// TcpExt TCPAbortOnTimeout: connections given up because nobody answered.
  std::optional<std::uint64_t> abort_on_timeout;
  /// TcpExt TCPAbortOnClose: closed by the process with data unread, so reset and not finished with a FIN.
  std::optional<std::uint64_t> abort_on_close;
  /// TcpExt TCPAbortOnMemory: orphans given up because there were too many, or too little memory.
  std::optional<std::uint64_t> abort_on_memory;
  /// Tcp RetransSegs: segments sent again.
  std::optional<std::uint64_t> retrans_segs;
  /// TcpExt TCPTimeouts: retransmission timers that fired. A FIN that never left (the probe timer) is not among them.
  std::optional<std::uint64_t> timeouts;
  /// Tcp OutRsts: RST segments sent.
  std::optional<std::uint64_t> out_rsts;
};

inline constexpr Metric kNetstatMetrics[] = {
    {"netstat_tcp_abort_failed_total", MetricType::kCounter,
     "Resets that could not be sent, those that a rule dropped on the way out among them (TcpExt TCPAbortFailed).",
     Field<&NetstatSample::abort_failed>},
    {"netstat_tcp_abort_on_timeout_total", MetricType::kCounter,
     "Connections given up because nobody answered, orphans included (TcpExt TCPAbortOnTimeout).",
     Field<&NetstatSample::abort_on_timeout>},
    {"netstat_tcp_abort_on_close_total", MetricType::kCounter,
     "Connections reset because the process closed with data unread (TcpExt TCPAbortOnClose).",
     Field<&NetstatSample::abort_on_close>},
    {"netstat_tcp_abort_on_memory_total", MetricType::kCounter,
     "Orphans given up because there were too many or too little memory (TcpExt TCPAbortOnMemory).",
     Field<&NetstatSample::abort_on_memory>},
    {"netstat_tcp_retrans_segs_total", MetricType::kCounter,
     "Segments sent again; a FIN that never left is not among them (Tcp RetransSegs).",
     Field<&NetstatSample::retrans_segs>},
    {"netstat_tcp_timeouts_total", MetricType::kCounter,
     "Retransmission timers that fired; the probe timer of a FIN that never left does not count (TcpExt TCPTimeouts).",
     Field<&NetstatSample::timeouts>},
    {"netstat_tcp_out_rsts_total", MetricType::kCounter, "Resets sent, or tried to (Tcp OutRsts).",
     Field<&NetstatSample::out_rsts>},
};

/// Reads NetstatSample from the files netstat (TcpExt) and snmp (Tcp) in <procfs>/thread-self/net, which count the
/// calling thread's network namespace (<procfs>/net counts that of the process's first thread). Columns are found by
/// name. A file that cannot be understood is a gap and its counters are absent; that neither can is a failure.
class NetstatCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = NetstatSample::kCollector,
      .summary = "the kernel's TCP counters of aborted, retransmitted and reset connections",
      .reads = "`/proc/thread-self/net/netstat` and `snmp`",
      .metrics = kNetstatMetrics,
  };

  explicit NetstatCollector(const kernel::Host& host) : host_(host) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
};

}  // namespace finwait::sources
