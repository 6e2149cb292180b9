#include "collectors/sources/sysctl.h"

#include <string>

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

struct NumberRow {
  std::string_view name;
  std::string_view help;
  std::optional<std::uint32_t> sources::SysctlSample::*value;
};
struct SecondsRow {
  std::string_view name;
  std::string_view help;
  std::optional<std::chrono::seconds> sources::SysctlSample::*value;
};

constexpr NumberRow kConntrackRows[] = {
    {"sysctl_conntrack_tcp_loose",
     "1 where a bare ACK without an entry starts one, 0 where it is INVALID (nf_conntrack_tcp_loose).",
     &sources::SysctlSample::conntrack_tcp_loose},
    {"sysctl_conntrack_tcp_be_liberal",
     "1 where segments outside of the window are not INVALID; does not help a FIN without an entry "
     "(nf_conntrack_tcp_be_liberal).",
     &sources::SysctlSample::conntrack_tcp_be_liberal},
    {"sysctl_conntrack_events", "0 off, 1 on, 2 on while somebody listens (nf_conntrack_events).",
     &sources::SysctlSample::conntrack_events},
};
constexpr SecondsRow kSecondsRows[] = {
    {"sysctl_tcp_keepalive_time_seconds", "Idle time before the first keepalive probe (net.ipv4.tcp_keepalive_time).",
     &sources::SysctlSample::tcp_keepalive_time},
    {"sysctl_tcp_keepalive_interval_seconds",
     "Time between unanswered keepalive probes (net.ipv4.tcp_keepalive_intvl).",
     &sources::SysctlSample::tcp_keepalive_interval},
    {"sysctl_tcp_fin_timeout_seconds", "How long an orphan stays in FIN_WAIT_2 (net.ipv4.tcp_fin_timeout).",
     &sources::SysctlSample::tcp_fin_timeout},
};
constexpr NumberRow kTcpRows[] = {
    {"sysctl_tcp_keepalive_probes", "Unanswered keepalive probes before giving up (net.ipv4.tcp_keepalive_probes).",
     &sources::SysctlSample::tcp_keepalive_probes},
    {"sysctl_tcp_orphan_retries", "Tries of an orphan before giving up; 0 means 8 (net.ipv4.tcp_orphan_retries).",
     &sources::SysctlSample::tcp_orphan_retries},
    {"sysctl_tcp_orphans_limit", "The most orphans on this host (net.ipv4.tcp_max_orphans).",
     &sources::SysctlSample::tcp_orphans_limit},
};

template <typename Rows>
void AppendNumbers(const sources::SysctlSample& sample, const Rows& rows, Families& families) {
  for (const auto& row : rows) {
    if (const auto& value = sample.*row.value) {
      Family::Gauge(row.name, row.help).Add({}, static_cast<double>(*value)).AppendTo(families);
    }
  }
}

}  // namespace

void AppendSysctl(const scheduling::Snapshot& snapshot, Families& families) {
  const auto* sample = snapshot.Find<sources::SysctlSample>();
  if (sample == nullptr) {
    return;
  }
  Family timeouts =
      Family::Gauge("sysctl_conntrack_tcp_timeout_seconds",
                    "After this long without a packet an entry in this state is gone (nf_conntrack_tcp_timeout_*).");
  for (std::size_t i = 0; i < sources::kConntrackTcpTimeoutNames.size(); ++i) {
    if (const auto& seconds = sample->conntrack_tcp_timeouts[i]) {
      timeouts.Add({{"state", sources::kConntrackTcpTimeoutNames[i]}}, static_cast<double>(seconds->count()));
    }
  }
  timeouts.AppendTo(families);
  AppendNumbers(*sample, kConntrackRows, families);
  for (const SecondsRow& row : kSecondsRows) {
    if (const auto& value = sample->*row.value) {
      Family::Gauge(row.name, row.help).Add({}, static_cast<double>(value->count())).AppendTo(families);
    }
  }
  AppendNumbers(*sample, kTcpRows, families);
}

}  // namespace finwait::views::metrics
