#pragma once

#include <string>
#include <string_view>

#include "exporter/report/report.h"

namespace finwait::views {

/// `text` with every IPv4 and IPv6 address in it, and the prefix length or port behind it, replaced by "ADDRESS".
std::string WithoutAddresses(std::string_view text);

/// "Linux 6.1.0-18-amd64 x86_64".
std::string RunningKernel();

/// What a report of a fault needs: the report without details, and the system it was made on (`kernel`: release and
/// machine, as uname prints them). Where nobody witnessed dropped packets it says why, and how to have that. It
/// holds no address, no text of a rule and no name of this host; names of tables and chains stay. JSON; ends with a
/// newline.
std::string BugReport(const report::Report& report, const std::string& kernel);

}  // namespace finwait::views
