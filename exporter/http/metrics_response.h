#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "exporter/http/message.h"

namespace finwait::http {

/// The answer to a scrape: the families in the format and encoding that the request's Accept and Accept-Encoding ask
/// for.
HttpResponse MetricsResponse(const HttpRequest& request, const std::vector<prometheus::MetricFamily>& families);

}  // namespace finwait::http
