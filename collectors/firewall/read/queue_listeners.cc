#include "collectors/firewall/read/queue_listeners.h"

#include <string_view>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::firewall::read {

Result<std::set<std::uint16_t>> ReadQueueListeners(const kernel::Host& host, Deadline deadline) {
  std::set<std::uint16_t> queues;
  const auto path = host.procfs / "thread-self/net/netfilter/nfnetlink_queue";
  const auto read = kernel::ForEachLine(path, deadline, [&](std::string_view line) -> Result<void> {
    const auto number = ParseNumber<std::uint16_t>(Words(line).Next());
    if (!number) {
      return Fail(FailureReason::kError, "read " + path.string() + ": a line of an unknown form");
    }
    queues.insert(*number);
    return {};
  });
  if (!read && !kernel::IsAbsent(read.error())) {
    return Failure(read.error());
  }
  return queues;
}

}  // namespace finwait::firewall::read
