#include "collectors/kernel/creation_probe.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cerrno>

#include "collectors/kernel/conntrack_event_filter.h"

namespace finwait::kernel {
namespace {

// More than the buffer holds: reading must end even when others send to this socket all the time.
constexpr int kMostMessages = 10'000;

}  // namespace

Result<CreationProbe> CreationProbe::Start(const Host& host) {
  auto events = host.open_events({NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_NEW}, SampleFilter(kSampling), kReceiveBuffer});
  if (!events) {
    return Failure(events.error());
  }
  return CreationProbe(std::move(*events));
}

Result<double> CreationProbe::Finish() && {
  std::uint64_t heard = 0;
  for (int i = 0; i < kMostMessages; ++i) {
    const auto datagram = events_->Next();
    if (!datagram && datagram.error().errno_code == ENOBUFS) {
      continue;
    }
    if (!datagram) {
      return Failure(datagram.error());
    }
    if (!*datagram) {
      break;
    }
    if ((*datagram)->sender_port == 0) {  // the kernel's; one entry each
      ++heard;
    }
  }
  events_.reset();
  return static_cast<double>(heard) * kSampling;
}

}  // namespace finwait::kernel
