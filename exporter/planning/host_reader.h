#pragma once

#include <memory>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/links.h"
#include "exporter/planning/host_facts.h"

namespace finwait::planning {

/// Reads what a report holds for plans. What cannot be read is named in HostFacts::lacks. `rules`: those in force;
/// `settings`: as read of the same namespace.
HostReport ReadHostReport(const kernel::Host& host, const std::shared_ptr<const firewall::Ruleset>& rules,
                          const diagnosis::EvaluationSettings& settings);

/// Gives the host's devices the numbers that those of the same name have in another namespace, as rules that were
/// loaded there name devices by number; what is not there gets a number that no device there has.
void RenumberDevices(const kernel::Links& links, HostReport& report);

}  // namespace finwait::planning
