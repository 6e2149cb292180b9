#include "collectors/sources/conntrack_events.h"

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/procfs.h"

namespace finwait::sources {
namespace {

Result<void> RequireEvents(const kernel::Host& host) {
  const auto mode = kernel::ReadProcfsUnsigned(host.procfs / "sys/net/netfilter/nf_conntrack_events");
  if (!mode && kernel::IsAbsent(mode.error())) {
    return Fail(FailureReason::kUnsupported,
                "this kernel sends no conntrack events (built without CONFIG_NF_CONNTRACK_EVENTS)");
  }
  if (!mode) {
    return Failure(mode.error());
  }
  if (*mode == 0) {
    return Fail(FailureReason::kUnsupported,
                "conntrack events are off (net.netfilter.nf_conntrack_events=0): expiries cannot be counted; "
                "2, the kernel's default, sends them while somebody listens");
  }
  return {};
}

}  // namespace

Result<Collected> ConntrackEventsCollector::Collect(Deadline deadline) {
  if (auto present = RequireConntrack(host_); !present) {
    return Failure(present.error());
  }
  if (auto on = RequireEvents(host_); !on) {
    return Failure(on.error());
  }
  if (!listener_) {
    auto listener = kernel::ExpiryListener::Start(host_, counts_, limits_, deadline);
    if (!listener) {
      return Failure(listener.error());
    }
    listener_ = std::move(*listener);
  }
  if (const auto ended = listener_->Ended()) {
    // Another kernel would be needed; listening again would show 0 until the next event.
    if (ended->reason != FailureReason::kUnsupported) {
      counts_ = listener_->Counts();
      ++counts_.losses;  // what comes before the next collection
      listener_.reset();
    }
    return Failure(*ended);
  }
  auto sample = std::make_shared<ConntrackEventsSample>();
  sample->counts = listener_->Counts();
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
