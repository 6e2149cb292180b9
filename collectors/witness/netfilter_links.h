#pragma once

#include <vector>

#include "collectors/base/result.h"
#include "collectors/witness/netfilter_record.h"

namespace finwait::witness {

/// The BPF programs that are linked into netfilter's hooks now, of all network namespaces. Takes CAP_BPF and
/// CAP_PERFMON in the first user namespace, and some 50 ms. kUnsupported where this build has no BPF, or the kernel no
/// BTF, no such links (Linux 6.4) or no iterator over them.
Result<std::vector<finwait_netfilter_record>> ReadNetfilterLinks();

}  // namespace finwait::witness
