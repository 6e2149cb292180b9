#include "collectors/sources/sockets.h"

#include <algorithm>

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/socket_dump.h"

namespace finwait::sources {

namespace {

// Whether conntrack tells of entries: it is there, and CAP_NET_ADMIN is held.
bool MayAskForEntries(const kernel::Host& host, Deadline deadline) {
  if (!RequireConntrack(host)) {
    return false;
  }
  kernel::TcpSocket any;  // of no connection
  kernel::SocketTable table({any});
  constexpr std::size_t kFirst[] = {0};
  const auto asked = AskForEntries(host, kFirst, {}, deadline, table);
  return asked || asked.error().reason != FailureReason::kPermission;
}

}  // namespace

Result<std::chrono::nanoseconds> SocketsCollector::KeepCounted(Deadline deadline, SocketsSample& sample) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (!pacer_.Due(now)) {
    return std::chrono::nanoseconds(0);
  }
  const bool lists = !MayAskForEntries(host_, deadline);
  const auto counted = census_->Newest();
  if (!lists && counted && now < counted->taken_at + pacer_.Interval()) {
    return std::chrono::nanoseconds(0);
  }
  const CpuStopwatch stopwatch;
  const auto tally = lists ? ReadSockets(host_, kernel::kAllSocketStates, kernel::kWithTcpInfo, deadline,
                                         kernel::Into(sample.unfinished))
                           : ReadSockets(host_, kernel::kAllSocketStates, 0, deadline, kernel::IntoNothing());
  sample.lists_unfinished = lists && tally;
  if (!tally) {
    return Failure(tally.error());
  }
  const SocketCount count = {tally->by_family, SteadyClock::now()};
  census_->Set(count);
  pacer_.Ran(count.taken_at, stopwatch.Elapsed());
  return stopwatch.Elapsed();
}

void SocketsCollector::JoinEntries(Deadline deadline, std::vector<kernel::TcpSocket>& closing) {
  if (closing.empty() || !RequireConntrack(host_)) {
    return;
  }
  kernel::SocketTable table(closing);
  if (!join_.Join(host_, deadline, table)) {
    return;
  }
  for (std::size_t i = 0; i < closing.size(); ++i) {
    closing[i].entry = table[i].entry;
  }
}

Result<Collected> SocketsCollector::Collect(Deadline deadline) {
  auto sample = std::make_shared<SocketsSample>();
  const auto tally = ReadSockets(host_, kernel::ClosingStates(), kernel::kWithTcpInfo, deadline,
                                 kernel::Into(sample->closing, SocketsSample::kMaxClosing));
  if (!tally) {
    return Failure(tally.error());
  }
  sample->orphans = tally->orphans;
  for (const kernel::SocketCounts& counts : tally->by_family) {
    for (std::size_t state = 0; state < counts.size(); ++state) {
      sample->closing_unlisted += IsUnfinished(static_cast<kernel::TcpState>(state)) ? counts[state] : 0;
    }
  }
  sample->closing_unlisted -= sample->closing.size();
  JoinEntries(deadline, sample->closing);
  const auto counting = KeepCounted(deadline, *sample);
  if (!counting) {
    return Failure(counting.error());
  }
  if (const auto counted = census_->Newest()) {
    sample->counts = counted->by_family;
    sample->counts_taken_at = counted->taken_at;
  }
  sample->counts_interval = pacer_.Interval();
  return Collected{std::move(sample), {}, *counting};
}

}  // namespace finwait::sources
