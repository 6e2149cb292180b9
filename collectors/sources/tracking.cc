#include "collectors/sources/tracking.h"

#include <string>

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"

namespace finwait::sources {
namespace {

OwnTimeouts::Settings ReadSettings(const kernel::Host& host) {
  const auto read = [&](const char* state) -> std::optional<std::uint64_t> {
    const auto seconds = kernel::ReadProcfsUnsigned(host.procfs / "sys/net/netfilter" /
                                                    (std::string("nf_conntrack_tcp_timeout_") + state));
    return seconds ? std::optional(*seconds) : std::nullopt;
  };
  return {read("established"), read("close_wait")};
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
  own_timeouts_->Set(std::make_shared<const OwnTimeouts>(sample->sockets, ReadSettings(host_)));
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
