#pragma once

#include <cstddef>
#include <string>

#include "exporter/planning/host_facts.h"
#include "exporter/report/report.h"

namespace finwait::views {

/// Whether a view shows socket addresses and rules' text (--report.details; the CLI always does).
enum class Details { kHide, kShow };

/// More sockets of a kind than this are counted and not listed.
inline constexpr std::size_t kMostSocketsInJson = 250;

/// The whole diagnosis as JSON: /api/v1/report. Ends with a newline.
std::string ReportJson(const report::Report& report, Details details);
/// The same with what `plan` needs of the host under "host", in one line: `check --format=json`.
std::string ReportJson(const report::Report& report, const planning::HostReport& host);

/// The verdict alone as JSON: /health.
std::string HealthJson(const report::Report& report);

}  // namespace finwait::views
