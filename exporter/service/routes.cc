#include "exporter/service/routes.h"

#include <limits.h>
#include <unistd.h>

#include <array>

#include "exporter/http/gzip.h"
#include "exporter/service/readiness.h"
#include "exporter/views/page/assets.h"
#include "exporter/views/page/page.h"

namespace finwait::service {
namespace {

using http::HttpRequest;
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

HttpResponse Health(const HttpRequest& request, const report::Report& report) {
  const auto fail_on = FailOn(request.Parameter("fail-on").value_or("failing"));
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

HttpResponse Page(const views::page::PageSettings& settings, const std::string& security_policy,
                  const report::Report& report) {
  HttpResponse response = http::MakeResponse(200, "text/html; charset=utf-8", ReportPage(report, settings));
  response.headers.push_back({"Content-Security-Policy", security_policy});
  response.headers.push_back({"Referrer-Policy", "no-referrer"});
  return response;
}

}  // namespace

std::vector<http::Lane> MakeLanes(const RouteSettings& settings, const report::LatestReport& latest,
                                  RenderedMetrics& metrics) {
  const http::Handler alive = [](const HttpRequest&) { return Uncached(Text(200, "ok\n")); };
  const http::Handler ready = [&latest](const HttpRequest&) { return Uncached(Ready(*latest.Get())); };

  http::Lane scrapes{"scrape", {}, 2, settings.max_requests};
  scrapes.routes[settings.telemetry_path] = [&metrics](const HttpRequest& request) {
    return metrics.Answer(request, SteadyClock::now());
  };
  http::Lane health{"health", {}, 1, 64};
  health.routes["/healthz"] = alive;
  health.routes["/-/healthy"] = alive;
  health.routes["/readyz"] = ready;
  health.routes["/-/ready"] = ready;
  health.routes["/health"] = [&latest](const HttpRequest& request) { return Uncached(Health(request, *latest.Get())); };
  http::Lane reports{"report", {}, 1, 16};
  reports.routes["/api/v1/report"] = [&latest, details = settings.details](const HttpRequest& request) {
    return Uncached(http::Compressed(request, http::MakeResponse(200, kJson, ReportJson(*latest.Get(), details))));
  };
  reports.routes["/"] = [&latest, policy = views::page::PageSecurityPolicy(),
                         page = views::page::PageSettings{settings.details, settings.telemetry_path, HostName()}](
                            const HttpRequest& request) {
    return Uncached(http::Compressed(request, Page(page, policy, *latest.Get())));
  };
  return {std::move(scrapes), std::move(health), std::move(reports)};
}

}  // namespace finwait::service
