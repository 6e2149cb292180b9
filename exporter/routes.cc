#include "exporter/routes.h"

#include <limits.h>
#include <unistd.h>

#include <array>

#include "exporter/http/gzip.h"
#include "exporter/readiness.h"
#include "exporter/views/page.h"
#include "exporter/views/page/assets.h"

namespace finwait {
namespace {

using http::HttpResponse;

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json; charset=utf-8";

HttpResponse Text(int status, std::string body) { return http::MakeResponse(status, kPlain, std::move(body)); }

// What changes with every look is not to be kept by anyone on the way.
HttpResponse Uncached(HttpResponse response) {
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

HttpResponse Ready(const Diagnosis& diagnosis) {
  const std::vector<std::string> missing = NotReady(*diagnosis.snapshot, SteadyClock::now());
  if (missing.empty()) {
    return Text(200, "ready\n");
  }
  std::string body = "not ready\n";
  for (const std::string& one : missing) {
    body += one + "\n";
  }
  return Text(503, std::move(body));
}

std::optional<Stage> FailOn(const std::string& name) {
  for (const Stage stage : {Stage::kLatent, Stage::kExposed, Stage::kFailing}) {
    if (name == Name(stage)) {
      return stage;
    }
  }
  return std::nullopt;
}

HttpResponse Health(const httplib::Request& request, const Diagnosis& diagnosis) {
  const auto fail_on = FailOn(http::Parameter(request, "fail-on").value_or("failing"));
  if (!fail_on) {
    return Text(400, "fail-on must be latent, exposed or failing\n");
  }
  const auto& stage = diagnosis.risk.stage;
  const int status = !stage ? 500 : *stage >= *fail_on ? 503 : 200;
  return http::MakeResponse(status, kJson, HealthJson(diagnosis));
}

// Empty where the system has none.
std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name = {};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

HttpResponse Page(const PageSettings& settings, const std::string& security_policy, const Diagnosis& diagnosis) {
  HttpResponse response = http::MakeResponse(200, "text/html; charset=utf-8", ReportPage(diagnosis, settings));
  response.headers.push_back({"Content-Security-Policy", security_policy});
  response.headers.push_back({"Referrer-Policy", "no-referrer"});
  return response;
}

}  // namespace

std::vector<http::RouteGroup> MakeRouteGroups(const RouteSettings& settings, const LatestDiagnosis& latest,
                                              RenderedMetrics& metrics) {
  const http::Handler alive = [](const httplib::Request&) { return Uncached(Text(200, "ok\n")); };
  const http::Handler ready = [&latest](const httplib::Request&) { return Uncached(Ready(*latest.Get())); };

  http::RouteGroup scrapes{.name = "scrape", .routes = {}, .workers = 2, .capacity = settings.max_requests};
  scrapes.routes[settings.telemetry_path] = [&metrics](const httplib::Request& request) {
    return metrics.Answer(request, SteadyClock::now());
  };
  http::RouteGroup health{.name = "health", .routes = {}, .workers = 1, .is_unlimited = true};
  health.routes["/healthz"] = alive;
  health.routes["/-/healthy"] = alive;
  health.routes["/readyz"] = ready;
  health.routes["/-/ready"] = ready;
  http::RouteGroup reports{.name = "report", .routes = {}, .workers = 1, .capacity = 16};
  reports.routes["/health"] = [&latest](const httplib::Request& request) {
    return Uncached(Health(request, *latest.Get()));
  };
  reports.routes["/api/v1/report"] = [&latest, details = settings.details](const httplib::Request& request) {
    return Uncached(http::Compressed(request, http::MakeResponse(200, kJson, ReportJson(*latest.Get(), details))));
  };
  reports.routes["/"] =
      [&latest, policy = PageSecurityPolicy(),
       page = PageSettings{settings.details, settings.telemetry_path, HostName()}](const httplib::Request& request) {
        return Uncached(http::Compressed(request, Page(page, policy, *latest.Get())));
      };
  return {std::move(scrapes), std::move(health), std::move(reports)};
}

}  // namespace finwait
