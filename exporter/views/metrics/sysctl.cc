#include "collectors/sources/sysctl.h"

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {

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
}

}  // namespace finwait::views::metrics
