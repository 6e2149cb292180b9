#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exporter/http/server.h"
#include "exporter/incidents/timeline.h"
#include "exporter/report/latest.h"
#include "exporter/service/rendered_metrics.h"
#include "exporter/views/json.h"

namespace finwait::service {

/// What the HTTP service shows and how.
struct RouteSettings {
  std::string telemetry_path = "/metrics";
  std::size_t max_requests = 40;  ///< to the telemetry path at once; 0 is no limit
  views::Details details = views::Details::kHide;
  /// The newest timeline, never null; called by several threads at once. Null: nobody keeps one.
  std::function<std::shared_ptr<const incidents::Timeline>()> latest_timeline = nullptr;
  http::Handler pairs = nullptr;  ///< answers /api/v1/pairs; null: that path is not there
};

/// The paths of the contract, answered from the newest diagnosis, in route groups of their own: scrapes, health, and
/// what people read. `latest` and `metrics`, which are of the same diagnosis, must outlive the server.
std::vector<http::RouteGroup> MakeRouteGroups(const RouteSettings& settings, const report::LatestReport& latest,
                                              RenderedMetrics& metrics);

}  // namespace finwait::service
