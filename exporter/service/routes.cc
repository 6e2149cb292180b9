#include "exporter/service/routes.h"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "exporter/service/readiness.h"
#include "exporter/service/rendered_view.h"
#include "exporter/views/bug_report.h"
#include "exporter/views/incidents.h"
#include "exporter/views/page/assets.h"
#include "exporter/views/page/page.h"

namespace finwait::service {
namespace {

using http::HttpResponse;

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json; charset=utf-8";

HttpResponse Text(int status, std::string body) { return http::MakeResponse(status, kPlain, std::move(body)); }

// What changes with every sample is not to be kept by anyone on the way.
HttpResponse Uncached(HttpResponse response) {
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

HttpResponse Ready(const report::Report& report) {
  const std::vector<std::string> missing = NotReady(*report.diagnosis->snapshot, SteadyClock::now());
  if (missing.empty()) {
    return Text(200, "ready\n");
  }
  std::string body = "not ready\n";
  for (const std::string& one : missing) {
    body += one + "\n";
  }
  return Text(503, std::move(body));
}

std::optional<diagnosis::Stage> FailOn(const std::string& name) {
  for (const diagnosis::Stage stage :
       {diagnosis::Stage::kLatent, diagnosis::Stage::kExposed, diagnosis::Stage::kFailing}) {
    if (name == Name(stage)) {
      return stage;
    }
  }
  return std::nullopt;
}

HttpResponse Health(const httplib::Request& request, const report::Report& report) {
  const auto fail_on = FailOn(http::Parameter(request, "fail-on").value_or("failing"));
  if (!fail_on) {
    return Text(400, "fail-on must be latent, exposed or failing\n");
  }
  const auto& stage = report.diagnosis->risk.stage;
  const int status = !stage ? 500 : *stage >= *fail_on ? 503 : 200;
  return http::MakeResponse(status, kJson, views::HealthJson(report));
}

// Empty where the system has none.
std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name = {};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

std::vector<http::RouteGroup> MakeRouteGroups(const RouteSettings& settings, const report::LatestReport& latest,
                                              RenderedMetrics& metrics) {
  const http::Handler alive = [](const httplib::Request&) { return Uncached(Text(200, "ok\n")); };
  const http::Handler ready = [&latest](const httplib::Request&) { return Uncached(Ready(*latest.Get())); };

  http::RouteGroup scrapes{.name = "scrape", .routes = {}, .workers = 2, .capacity = settings.max_requests};
  scrapes.routes[settings.telemetry_path] = [&metrics](const httplib::Request& request) {
    return metrics.Answer(request, SteadyClock::now());
  };
  http::RouteGroup health{.name = "health", .routes = {}, .workers = 1, .is_unlimited = true, .is_for_any_host = true};
  health.routes["/healthz"] = alive;
  health.routes["/-/healthy"] = alive;
  health.routes["/readyz"] = ready;
  health.routes["/-/ready"] = ready;
  http::RouteGroup verdict{.name = "verdict", .routes = {}, .workers = 1, .is_unlimited = true};
  verdict.routes["/health"] = [&latest](const httplib::Request& request) {
    return Uncached(Health(request, *latest.Get()));
  };
  http::RouteGroup reports{.name = "report", .routes = {}, .workers = 1, .capacity = 16};
  const auto report = std::make_shared<RenderedView>(
      [details = settings.details](const report::Report& shown) { return views::ReportJson(shown, details); },
      std::string(kJson), latest);
  const auto bug_report = std::make_shared<RenderedView>(
      [kernel = views::RunningKernel()](const report::Report& shown) { return views::BugReport(shown, kernel); },
      std::string(kJson), latest);
  reports.routes["/api/v1/report"] = [report, bug_report](const httplib::Request& request) {
    const auto format = http::Parameter(request, "format");
    if (format && *format != "bug") {
      return Text(400, "format must be bug, or left out\n");
    }
    return Uncached((format ? bug_report : report)->Answer(request));
  };
  if (settings.latest_timeline) {
    const auto view = std::make_shared<RenderedView>(
        [details = settings.details, latest_timeline = settings.latest_timeline](const report::Report& shown) {
          const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(shown.diagnosis->at);
          return views::IncidentsJson(*latest_timeline(), now, std::nullopt, details);
        },
        std::string(kJson), latest);
    reports.routes["/api/v1/incidents"] = [view](const httplib::Request& request) {
      return Uncached(view->Answer(request));
    };
  }
  const auto page = std::make_shared<RenderedView>(
      [page = views::page::PageSettings{settings.details, settings.telemetry_path, HostName()},
       latest_timeline = settings.latest_timeline](const report::Report& shown) {
        views::page::PageSettings now = page;
        now.timeline = latest_timeline ? latest_timeline() : nullptr;
        return views::page::ReportPage(shown, now);
      },
      "text/html; charset=utf-8", latest);
  reports.routes["/"] = [page, policy = views::page::PageSecurityPolicy()](const httplib::Request& request) {
    http::HttpResponse response = Uncached(page->Answer(request));
    response.headers.push_back({"Content-Security-Policy", policy});
    response.headers.push_back({"Referrer-Policy", "no-referrer"});
    return response;
  };
  std::vector<http::RouteGroup> groups = {std::move(scrapes), std::move(health), std::move(verdict),
                                          std::move(reports)};
  if (settings.pairs) {
    // A list of all sockets takes long to make; nobody else is to wait for it.
    http::RouteGroup pairs{.name = "pairs", .routes = {}, .workers = 1, .capacity = 8};
    pairs.routes["/api/v1/pairs"] = settings.pairs;
    groups.push_back(std::move(pairs));
  }
  return groups;
}

}  // namespace finwait::service
