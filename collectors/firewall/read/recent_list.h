#pragma once

#include <cstddef>
#include <string>

#include "collectors/base/result.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// At most so many addresses of a list are read; one that holds more is not known.
inline constexpr std::size_t kMostRecent = 65'536;

/// What a list of `-m recent` holds (/proc/net/xt_recent/NAME).
Result<facts::RecentList> ReadRecentList(const kernel::Host& host, const std::string& list, Deadline deadline);

}  // namespace finwait::firewall::read
