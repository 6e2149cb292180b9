#pragma once

#include "collectors/firewall/facts/interface.h"
#include "exporter/planning/json_values.h"

namespace finwait::planning {

Json DeviceJson(const firewall::facts::Interface& device);
/// Throws as TakeKnown() does.
firewall::facts::Interface DeviceIn(const Json& json);

}  // namespace finwait::planning
