#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

namespace finwait::kernel {

/// A socket filter (classic BPF) for an event socket of NETLINK_NETFILTER. It lets through conntrack's DESTROY events
/// of TCP entries that timed out in one of kLiveConntrackStates, IPv4 and IPv6, and nothing else: a host that opens and
/// closes many connections, or one whose table is flushed, sends nothing to user space.
///
/// It also lets through a TCP event that does not tell the state, as the kernel sent them before it put CTA_PROTOINFO
/// and CTA_TIMEOUT into DESTROY (Linux 5.10 and older), so that the reader can know that it is unavailable.
/// libnetfilter_conntrack's own filter (nfct_filter) knows TCP states too, but would hide those, and cannot tell an
/// expiry from a deletion.
std::vector<sock_filter> LiveExpiryFilter();

/// A socket filter that lets through a random one in `one_in` messages (more than 0), whatever they say.
std::vector<sock_filter> SampleFilter(std::uint32_t one_in);

}  // namespace finwait::kernel
