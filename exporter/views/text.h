#pragma once

#include <string>

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::views {

/// The diagnosis for a person at a terminal: `check`. The verdict first; addresses and rules' text are shown. At most
/// 100 columns but for what must not be broken. Ends with a newline.
std::string ReportText(const diagnosis::Diagnosis& diagnosis);

}  // namespace finwait::views
