#pragma once

#include <string>

#include "exporter/report/report.h"

namespace finwait::views {

/// The diagnosis for a person at a terminal: `check`. The first screen of 24 lines by 80 columns has the verdict,
/// the cause and what to do first; addresses and rules' text are shown. At most 80 columns but for what must not be
/// broken. Ends with a newline.
std::string ReportText(const report::Report& report);

}  // namespace finwait::views
