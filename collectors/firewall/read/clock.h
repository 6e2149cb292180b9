#pragma once

#include "collectors/firewall/facts/fact.h"

namespace finwait::firewall::read {

/// The wall clock and the kernel's time zone, as they are now.
facts::Clock ReadClock();

}  // namespace finwait::firewall::read
