#pragma once

#include "collectors/firewall/facts/resolver.h"
#include "exporter/channel/messages.h"

namespace finwait::channel {

/// What `resolver` would invalidate in a store now, as a value that crosses to another process.
FactChanges TakeChanges(firewall::facts::Resolver& resolver);

}  // namespace finwait::channel
