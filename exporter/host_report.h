#pragma once

#include "collectors/kernel/host.h"
#include "exporter/planning/host_facts.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::exporter {

/// What a report holds for plans: this host, and how its connections close under the rules in force. Where these cannot
/// be read, without privilege say, it holds that they are unknown. `snapshot`: what was collected of the host just now,
/// which is not read again.
planning::HostReport ReadHostReport(const kernel::Host& host, const scheduling::Snapshot& snapshot);

}  // namespace finwait::exporter
