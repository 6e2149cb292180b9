#pragma once

#include <cstdint>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// How many entries conntrack has in this namespace (nf_conntrack_count).
Result<std::uint64_t> CountEntries(const Host& host);

/// How many TCP sockets this namespace has, of both families, those that listen among them and those in TIME_WAIT not
/// (`inuse` of net/sockstat and net/sockstat6).
Result<std::uint64_t> CountTcpSockets(const Host& host, Deadline deadline);

/// How many connections that `opener` has opened have an entry, whatever their protocol: a dump that the kernel filters
/// (CTA_FILTER; before Linux 5.8 it counts all of the address's family). Needs CAP_NET_ADMIN.
Result<std::uint64_t> CountEntriesOf(const Host& host, const IpAddress& opener, Deadline deadline);

}  // namespace finwait::kernel
