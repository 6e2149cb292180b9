#include "exporter/pairs/view.h"

#include "collectors/sources/sockets.h"
#include "exporter/http/gzip.h"
#include "exporter/http/request.h"
#include "exporter/pairs/lost_document.h"
#include "exporter/pairs/own_halves.h"

namespace finwait::pairs {

http::HttpResponse PairsView::Answer(const httplib::Request& request) {
  const std::string of = http::Parameter(request, "of").value_or("lost");
  if (of != "lost" && of != "live") {
    return http::MakeResponse(400, "text/plain; charset=utf-8", "of must be lost or live\n");
  }
  const std::lock_guard lock(mutex_);
  const auto report = latest_.Get();
  http::HttpResponse response = of == "lost" ? Lost(request, report) : Live(request, report);
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

http::HttpResponse PairsView::Shown(const httplib::Request& request, std::string_view content_type, Made& made) {
  http::HttpResponse response;
  response.content_type = content_type;
  response.body = made.body;
  const auto age = std::chrono::ceil<std::chrono::seconds>(SteadyClock::now() - made.at);
  response.headers.push_back({"Age", std::to_string(age.count())});
  return http::Compressed(request, std::move(response), made.compressed);
}

http::HttpResponse PairsView::Lost(const httplib::Request& request,
                                   const std::shared_ptr<const report::Report>& report) {
  if (lost_.of.lock() != report) {
    const auto* status = report->diagnosis->snapshot->Status<sources::SocketsSample>();
    // A socket that ended may have been there until the next sample.
    const std::chrono::duration<double> sampling =
        status != nullptr ? std::chrono::duration<double>(2 * status->interval) : std::chrono::duration<double>(0);
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(scheduling::WallClock::now());
    LostDocument document = LostHalvesOf(records_(), now, sampling, digester_);
    document.passages = passages_.Known();
    auto body = std::make_shared<const std::string>(LostJson(document));
    lost_ = {report, SteadyClock::now(), std::move(body), nullptr};
  }
  return Shown(request, "application/json; charset=utf-8", lost_);
}

http::HttpResponse PairsView::Live(const httplib::Request& request,
                                   const std::shared_ptr<const report::Report>& report) {
  if (live_.of.lock() != report) {
    auto halves = LiveHalvesOf(*report->diagnosis, memory_, SteadyClock::now(), owner_names_, digester_);
    if (!halves) {
      return http::MakeResponse(503, "text/plain; charset=utf-8", halves.error().message + "\n");
    }
    live_ = {report, SteadyClock::now(), std::make_shared<const std::string>(std::move(*halves)), nullptr};
  }
  return Shown(request, "text/plain; charset=utf-8", live_);
}

}  // namespace finwait::pairs
