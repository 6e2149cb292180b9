#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "collectors/base/result.h"
#include "exporter/planning/host_facts.h"

namespace finwait::planning {

/// The form in which reports hold a host; one of another number is refused.
inline constexpr int kHostFormat = 1;

/// What a report holds for plans, under its key "host".
nlohmann::ordered_json HostJson(const HostReport& report);

/// A report that was read.
struct LoadedReport {
  HostReport host;
  std::string version;  ///< of the program that made it
  std::string time;     ///< when, as RFC 3339 has it
};

/// Reads a report that `check --format=json` has printed. The error is a sentence without the report's name.
Result<LoadedReport> ParseReport(const std::string& text);

}  // namespace finwait::planning
