#pragma once

#include <memory>
#include <string>

#include "exporter/incidents/timeline.h"
#include "exporter/report/report.h"
#include "exporter/views/json.h"

namespace finwait::views::page {

/// What the page shows beside a diagnosis.
struct PageSettings {
  Details details = Details::kHide;
  std::string telemetry_path = "/metrics";  ///< where the metrics are; starts with a slash
  std::string host_name;                    ///< for the reader who has several of these pages open; may be empty
  std::shared_ptr<const incidents::Timeline> timeline = nullptr;  ///< null: nobody keeps any
};

/// The report as an HTML page for a person: what `/` serves. It needs PageSecurityPolicy (page/assets.h) at most.
std::string ReportPage(const report::Report& report, const PageSettings& settings);

}  // namespace finwait::views::page
