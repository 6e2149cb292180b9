#pragma once

#include <string>

#include "exporter/report/close_report.h"

namespace finwait::views {

/// What `explain` prints for a person: the fate first. Ends with a newline.
std::string CloseText(const report::CloseReport& report);

/// What `explain --format=json` prints. Ends with a newline.
std::string CloseJson(const report::CloseReport& report);

}  // namespace finwait::views
