#pragma once

#include <string>

#include "exporter/planning/comparison.h"
#include "exporter/planning/host_json.h"

namespace finwait::views {

/// What `plan` prints for a person: what would newly be lost first. Ends with a newline.
std::string PlanText(const planning::LoadedReport& report, const planning::Comparison& comparison);

/// What `plan --format=json` prints. Ends with a newline.
std::string PlanJson(const planning::LoadedReport& report, const planning::Comparison& comparison);

}  // namespace finwait::views
