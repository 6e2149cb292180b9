#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "exporter/diagnosis/class_survey.h"

namespace finwait::views {

/// Which connections a class holds, as ranges: in every JSON that this program prints. `text`: the same in words.
nlohmann::ordered_json ConnectionsJson(const std::string& text, const diagnosis::SurveyedClass& surveyed);

}  // namespace finwait::views
