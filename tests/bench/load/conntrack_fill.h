#pragma once

#include <cstddef>

namespace finwait::bench {

/// Fills the conntrack table of the calling thread's network namespace with `entries` made-up ones, by batched netlink.
/// They are spread as on a busy host: nine in ten TCP, the rest UDP and ICMP; mostly ESTABLISHED; one in eight IPv6;
/// one in five translated. All live for an hour at least, so that the table holds still while it is measured. Addresses
/// are of 198.18.0.0/15 (RFC 2544, for benchmarks) and 2001:db8::/32. Throws unless all of them are there afterwards:
/// nf_conntrack_max must leave room. This writes to the kernel: for namespaces of a test's own only.
void FillConntrack(std::size_t entries);

/// The entries in the calling thread's namespace (nf_conntrack_count).
std::size_t ConntrackCount();

}  // namespace finwait::bench
