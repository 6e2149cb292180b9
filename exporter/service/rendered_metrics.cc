#include "exporter/service/rendered_metrics.h"

#include <exception>
#include <utility>

#include "exporter/http/gzip.h"
#include "exporter/http/negotiation.h"

namespace finwait::service {

views::ExpositionFormat NegotiateFormat(std::string_view accept) {
  constexpr http::MediaType kOpenMetrics{"application/openmetrics-text", "1.0.0"};
  constexpr http::MediaType kText{"text/plain", "0.0.4"};
  return http::Prefers(accept, kOpenMetrics, kText) ? views::ExpositionFormat::kOpenMetrics
                                                    : views::ExpositionFormat::kText;
}

RenderedMetrics::Rendering RenderedMetrics::Begin(std::shared_ptr<const report::Report> report,
                                                  SteadyClock::time_point now) const {
  Rendering rendering;
  rendering.families = make_families_(*report->diagnosis);
  rendering.report = std::move(report);
  rendering.made_at = now;
  return rendering;
}

void RenderedMetrics::Render(Rendering& rendering, views::ExpositionFormat format, bool gzip) const {
  auto& [plain, compressed] = rendering.bodies[static_cast<std::size_t>(format)];
  if (!plain) {
    plain = std::make_shared<const std::string>(RenderFamilies(rendering.families, format, start_of_));
  }
  if (gzip && !compressed) {
    if (Result<std::string> zipped = http::Gzip(*plain)) {
      compressed = std::make_shared<const std::string>(std::move(*zipped));
    }
  }
}

RenderedMetrics::Rendering RenderedMetrics::RenderAhead(const std::shared_ptr<const report::Report>& report,
                                                        SteadyClock::time_point now) {
  AskedFor asked_for;
  {
    const std::lock_guard lock(mutex_);
    asked_for = asked_for_;
  }
  Rendering rendering;
  for (const views::ExpositionFormat format : {views::ExpositionFormat::kText, views::ExpositionFormat::kOpenMetrics}) {
    for (const bool gzip : {false, true}) {
      const auto& asked = asked_for[static_cast<std::size_t>(format)][gzip ? 1 : 0];
      if (asked && now - *asked < kWantedFor) {
        if (!rendering.report) {
          rendering = Begin(report, now);
        }
        Render(rendering, format, gzip);
      }
    }
  }
  return rendering;
}

void RenderedMetrics::Publish(std::shared_ptr<const report::Report> report, SteadyClock::time_point now) {
  Rendering rendering;
  try {
    rendering = RenderAhead(report, now);
  } catch (const std::exception&) {
    rendering = {};  // the next scrape tries again, and is told
  }
  const std::lock_guard lock(mutex_);
  latest_.Set(std::move(report));
  std::swap(rendering_, rendering);
}

http::HttpResponse RenderedMetrics::Answer(const httplib::Request& request, SteadyClock::time_point now) {
  const views::ExpositionFormat format = NegotiateFormat(http::Header(request, "Accept"));
  const bool gzip = http::AcceptsGzip(http::Header(request, "Accept-Encoding"));
  http::HttpResponse response;
  response.content_type = ContentType(format);
  response.headers.push_back({"Vary", "Accept, Accept-Encoding"});

  const std::lock_guard lock(mutex_);
  auto report = latest_.Get();
  if (rendering_.report != report || now - rendering_.made_at >= kFreshFor) {
    rendering_ = {};
    rendering_ = Begin(std::move(report), now);
  }
  asked_for_[static_cast<std::size_t>(format)][gzip ? 1 : 0] = now;
  Render(rendering_, format, gzip);
  const auto& [plain, compressed] = rendering_.bodies[static_cast<std::size_t>(format)];
  response.body = plain;
  if (gzip && compressed) {
    response.body = compressed;
    response.headers.push_back({"Content-Encoding", "gzip"});
  }
  return response;
}

}  // namespace finwait::service
