#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/ingress_devices.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"

namespace finwait::sources {

/// The timeouts that conntrack keeps for TCP: one for each state that has any, and two that replace it. kMaxRetrans
/// applies once nf_conntrack_tcp_max_retrans retransmissions went unanswered, kUnacknowledged while data is.
enum class ConntrackTcpTimeout : std::size_t {
  kSynSent,
  kSynRecv,
  kEstablished,
  kFinWait,
  kCloseWait,
  kLastAck,
  kTimeWait,
  kClose,
  kMaxRetrans,
  kUnacknowledged,
};

/// In the order of the enumeration: the end of the file's name, nf_conntrack_tcp_timeout_<name>, and the label `state`
/// of finwait_sysctl_conntrack_tcp_timeout_seconds.
inline constexpr std::array<std::string_view, 10> kConntrackTcpTimeoutNames = {
    "syn_sent", "syn_recv",  "established", "fin_wait",    "close_wait",
    "last_ack", "time_wait", "close",       "max_retrans", "unacknowledged"};

/// The settings that decide how long a silent connection keeps its conntrack entry and how long its socket would try to
/// close. Each is absent where this kernel or this namespace does not have it.
struct SysctlSample : SampleData {
  static constexpr std::string_view kCollector = "sysctl";
  static constexpr std::size_t kFields = 11;  ///< below, for codec/fields.h

  /// net.netfilter.nf_conntrack_tcp_timeout_*, by ConntrackTcpTimeout.
  std::array<std::optional<std::chrono::seconds>, kConntrackTcpTimeoutNames.size()> conntrack_tcp_timeouts;
  std::optional<std::chrono::seconds> Timeout(ConntrackTcpTimeout which) const {
    return conntrack_tcp_timeouts[static_cast<std::size_t>(which)];
  }

  /// net.netfilter.nf_conntrack_tcp_loose: 1 where a bare ACK without an entry starts one (ctstate NEW), 0 where it is
  /// INVALID.
  std::optional<std::uint32_t> conntrack_tcp_loose;
  /// net.netfilter.nf_conntrack_tcp_be_liberal: 1 where segments outside of the window are not INVALID.
  std::optional<std::uint32_t> conntrack_tcp_be_liberal;
  /// net.netfilter.nf_conntrack_events: 0 off, 1 on, 2 on for connections that start while somebody listens.
  std::optional<std::uint32_t> conntrack_events;

  /// net.ipv4.tcp_keepalive_time: idle time before the first probe, for sockets with SO_KEEPALIVE and no time of their
  /// own.
  std::optional<std::chrono::seconds> tcp_keepalive_time;
  /// net.ipv4.tcp_keepalive_intvl: between unanswered probes.
  std::optional<std::chrono::seconds> tcp_keepalive_interval;
  /// net.ipv4.tcp_keepalive_probes: unanswered probes until the connection is given up.
  std::optional<std::uint32_t> tcp_keepalive_probes;
  /// net.ipv4.tcp_fin_timeout: how long an orphan stays in FIN_WAIT_2.
  std::optional<std::chrono::seconds> tcp_fin_timeout;
  /// net.ipv4.tcp_orphan_retries: tries of an orphan until it is given up; 0 means the kernel's own 8.
  std::optional<std::uint32_t> tcp_orphan_retries;
  /// On which devices a peer's packets may come in, whatever routing picks. See ReadIngressDevices().
  PerFamily<std::vector<kernel::IngressDevice>> ingress_devices;
  /// net.ipv4.tcp_max_orphans: of the whole host, and so only to be seen in its initial network namespace.
  std::optional<std::uint32_t> tcp_orphans_limit;
};

inline constexpr Metric kSysctlMetrics[] = {
    {"sysctl_conntrack_tcp_loose", MetricType::kGauge,
     "1 where a bare ACK without an entry starts one, 0 where it is INVALID (nf_conntrack_tcp_loose).",
     Field<&SysctlSample::conntrack_tcp_loose>},
    {"sysctl_conntrack_tcp_be_liberal", MetricType::kGauge,
     "1 where segments outside of the window are not INVALID; does not help a FIN without an entry "
     "(nf_conntrack_tcp_be_liberal).",
     Field<&SysctlSample::conntrack_tcp_be_liberal>},
    {"sysctl_conntrack_events", MetricType::kGauge, "0 off, 1 on, 2 on while somebody listens (nf_conntrack_events).",
     Field<&SysctlSample::conntrack_events>},
    {"sysctl_tcp_keepalive_time_seconds", MetricType::kGauge,
     "Idle time before the first keepalive probe (net.ipv4.tcp_keepalive_time).",
     Field<&SysctlSample::tcp_keepalive_time>},
    {"sysctl_tcp_keepalive_interval_seconds", MetricType::kGauge,
     "Time between unanswered keepalive probes (net.ipv4.tcp_keepalive_intvl).",
     Field<&SysctlSample::tcp_keepalive_interval>},
    {"sysctl_tcp_fin_timeout_seconds", MetricType::kGauge,
     "How long an orphan stays in FIN_WAIT_2 (net.ipv4.tcp_fin_timeout).", Field<&SysctlSample::tcp_fin_timeout>},
    {"sysctl_tcp_keepalive_probes", MetricType::kGauge,
     "Unanswered keepalive probes before giving up (net.ipv4.tcp_keepalive_probes).",
     Field<&SysctlSample::tcp_keepalive_probes>},
    {"sysctl_tcp_orphan_retries", MetricType::kGauge,
     "Tries of an orphan before giving up; 0 means 8 (net.ipv4.tcp_orphan_retries).",
     Field<&SysctlSample::tcp_orphan_retries>},
    {"sysctl_tcp_orphans_limit", MetricType::kGauge, "The most orphans on this host (net.ipv4.tcp_max_orphans).",
     Field<&SysctlSample::tcp_orphans_limit>},
};

/// Reads SysctlSample from <procfs>/sys/net, which shows the settings of the calling thread's network namespace. A file
/// that does not hold a whole number, or may not be read, is a gap; that none of the files is there is kUnsupported.
class SysctlCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = SysctlSample::kCollector,
      .summary = "conntrack's TCP timeouts and switches, TCP keepalive and orphan settings",
      .reads = "`/proc/sys/net/netfilter/`, `/proc/sys/net/ipv4/`",
      .metrics = kSysctlMetrics,
  };

  explicit SysctlCollector(const kernel::Host& host) : host_(host) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
};

}  // namespace finwait::sources
