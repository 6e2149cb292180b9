#include "collectors/sources/tracking.h"

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"

namespace finwait::sources {

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
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
