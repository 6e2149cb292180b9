#pragma once

#include <cstddef>
#include <string>

#include "exporter/report/report.h"

namespace finwait::views {

/// Whether a view shows socket addresses and rules' text (--report.details; the CLI always does).
enum class Details { kHide, kShow };

/// More sockets of a kind than this are counted and not listed.
inline constexpr std::size_t kMostSocketsInJson = 250;

/// The whole diagnosis as JSON: /api/v1/report and `check --format=json`. Ends with a newline.
std::string ReportJson(const report::Report& report, Details details);

/// The verdict alone as JSON: /health.
std::string HealthJson(const report::Report& report);

}  // namespace finwait::views
