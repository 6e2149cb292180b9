#pragma once

#include "collectors/base/result.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// Whether packets can add one more element to a set of nftables: what it holds now against its size, if it has one.
/// Ask only where a rule names the set: then nf_tables is there.
Result<bool> HasRoom(const kernel::Host& host, const facts::SetKey& set, Deadline deadline);

}  // namespace finwait::firewall::read
