#pragma once

#include <string>

#include "exporter/report/classes_report.h"

namespace finwait::views {

/// What `explain --all` prints for a person: what would not close first. Ends with a newline.
std::string ClassesText(const report::ClassesReport& report);

/// What `explain --all --format=json` prints. Ends with a newline.
std::string ClassesJson(const report::ClassesReport& report);

}  // namespace finwait::views
