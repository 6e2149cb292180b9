#pragma once

#include <string>

#include "exporter/report/report.h"

namespace finwait::views {

/// One line for Nagios, Icinga and their kin, as the Monitoring Plugins guidelines have it: state, verdict, and behind
/// a bar the performance data. A number that is unknown is U. Without addresses; ends with a newline. `check`'s exit
/// codes are the states: 0 OK, 1 WARNING (exposed), 2 CRITICAL (failing), 3 UNKNOWN.
std::string NagiosLine(const report::Report& report);

/// The line where not even a report could be made: UNKNOWN, and why.
std::string NagiosUnknown(const std::string& reason);

}  // namespace finwait::views
