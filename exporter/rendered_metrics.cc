#include "exporter/rendered_metrics.h"

#include <utility>

#include "exporter/http/gzip.h"
#include "exporter/http/negotiation.h"
#include "exporter/views/exposition.h"

namespace finwait {

http::HttpResponse RenderedMetrics::Answer(const http::HttpRequest& request,
                                           const std::shared_ptr<const Diagnosis>& diagnosis,
                                           SteadyClock::time_point now) {
  const ExpositionFormat format = http::NegotiateFormat(request.Header("Accept"));
  http::HttpResponse response;
  response.content_type = ContentType(format);
  response.headers.push_back({"Vary", "Accept, Accept-Encoding"});

  const std::lock_guard lock(mutex_);
  if (diagnosis_ != diagnosis || now - rendered_at_ >= kFreshFor) {
    renderings_ = {};
    families_ = make_families_(*diagnosis);
    diagnosis_ = diagnosis;
    rendered_at_ = now;
  }
  Rendering& rendering = renderings_[static_cast<std::size_t>(format)];
  if (!rendering.plain) {
    rendering.plain = std::make_shared<const std::string>(RenderFamilies(families_, format));
  }
  response.body = rendering.plain;
  if (http::AcceptsGzip(request.Header("Accept-Encoding"))) {
    if (!rendering.gzip) {
      if (Result<std::string> compressed = http::Gzip(*rendering.plain)) {
        rendering.gzip = std::make_shared<const std::string>(std::move(*compressed));
      }
    }
    if (rendering.gzip) {
      response.body = rendering.gzip;
      response.headers.push_back({"Content-Encoding", "gzip"});
    }
  }
  return response;
}

}  // namespace finwait
