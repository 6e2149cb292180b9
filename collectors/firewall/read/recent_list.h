#pragma once

#include <map>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// What a list of `-m recent` holds, by address (/proc/net/xt_recent/NAME).
Result<std::map<IpAddress, facts::RecentEntry>> ReadRecentList(const kernel::Host& host, const std::string& list,
                                                               Deadline deadline);

}  // namespace finwait::firewall::read
