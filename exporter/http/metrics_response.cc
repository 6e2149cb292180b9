#include "exporter/http/metrics_response.h"

#include "exporter/http/gzip.h"
#include "exporter/http/negotiation.h"
#include "exporter/views/exposition.h"

namespace finwait::http {

HttpResponse MetricsResponse(const HttpRequest& request, const std::vector<prometheus::MetricFamily>& families) {
  const ExpositionFormat format = NegotiateFormat(request.Header("Accept"));
  HttpResponse response = MakeResponse(200, ContentType(format), RenderFamilies(families, format));
  response.headers.push_back({"Vary", "Accept"});
  return Compressed(request, std::move(response));
}

}  // namespace finwait::http
