#include "collectors/sources/tracking.h"

#include <string>

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"

namespace finwait::sources {
namespace {

// What conntrack gives entries of open connections, as far as it can be read.
SysctlSample ReadTimeouts(const kernel::Host& host) {
  SysctlSample settings;
  for (const auto which : {ConntrackTcpTimeout::kEstablished, ConntrackTcpTimeout::kCloseWait,
                           ConntrackTcpTimeout::kMaxRetrans, ConntrackTcpTimeout::kUnacknowledged}) {
    const auto index = static_cast<std::size_t>(which);
    const auto read =
        kernel::ReadProcfsUnsigned(host.procfs / "sys/net/netfilter" /
                                   ("nf_conntrack_tcp_timeout_" + std::string(kConntrackTcpTimeoutNames[index])));
    if (read) {
      settings.conntrack_tcp_timeouts[index] = std::chrono::seconds(*read);
    }
  }
  return settings;
}

}  // namespace

Result<Collected> TrackingCollector::Collect(Deadline deadline) {
  if (auto present = RequireConntrack(host_); !present) {
    return Failure(present.error());
  }
  auto sample = std::make_shared<TrackingSample>();
  const auto tally =
      ReadSockets(host_, kernel::kAllSocketStates, kernel::kWithTcpInfo, deadline, kernel::Into(sample->sockets));
  if (!tally) {
    return Failure(tally.error());
  }
  census_->Set({tally->by_family, SteadyClock::now()});
  const auto joined = join_.Join(host_, deadline, sample->sockets);
  if (!joined) {
    return Failure(joined.error());
  }
  sample->strategy = *joined;
  own_timeouts_->Set(std::make_shared<const OwnTimeouts>(sample->sockets, ReadTimeouts(host_)));
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
