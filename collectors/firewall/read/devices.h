#pragma once

#include "collectors/firewall/facts/interface.h"
#include "collectors/kernel/links.h"
#include "collectors/kernel/route.h"

namespace finwait::firewall::read {

/// The device as rules see it. `master`: of which it is a port; null for none.
facts::Interface DeviceOf(const kernel::Link& link, const kernel::Link* master);

/// The device that a route leads through.
facts::Interface DeviceOf(const kernel::Route& route);

}  // namespace finwait::firewall::read
