#pragma once

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "exporter/planning/host_facts.h"

namespace finwait::exporter {

/// What a report holds for plans: this host, and how its connections close under the rules in force. Where these cannot
/// be read, without privilege say, it holds that they are unknown.
Result<planning::HostReport> ReadHostReport(const kernel::Host& host);

}  // namespace finwait::exporter
