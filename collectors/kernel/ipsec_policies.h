#pragma once

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Whether the namespace has IPsec policies (XFRM_MSG_GETSPDINFO), those of single sockets aside: key exchange daemons
/// have them for their own. Loads no module: where nobody has loaded xfrm_user or af_key, nobody could make a policy.
/// Needs CAP_NET_ADMIN.
Result<bool> HasIpsecPolicies(const Host& host, Deadline deadline);

/// Whether the kernel has NETLINK_XFRM, which is asked for them; false too where that cannot be read.
bool HasXfrm(const Host& host);

}  // namespace finwait::kernel
