#include "exporter/web_config/web_auth.h"

#include <string>
#include <variant>

namespace finwait::web_config {

namespace {

http::HttpResponse Refusal(int status, std::string sentence) {
  return http::MakeResponse(status, "text/plain; charset=utf-8", std::move(sentence) + "\n");
}

http::HttpResponse Unauthorized() {
  http::HttpResponse response = Refusal(401, "A user name and its password are needed here.");
  response.headers.push_back({"WWW-Authenticate", "Basic realm=\"finwait_exporter\""});
  return response;
}

}  // namespace

WebAuth::WebAuth(std::shared_ptr<WebConfigFile> file, RateLimit rate_limit)
    : file_(std::move(file)), bucket_(rate_limit, SteadyClock::now()) {}

http::AuthMiddleware::Decision WebAuth::Decide(const http::Peer& peer, const http::RequestHead& head,
                                               bool is_unlimited) {
  Decision decision;
  const Result<WebConfig>& config = file_->Now();
  if (!config) {
    decision.refusal = Refusal(500, "The web configuration cannot be used; the log says why.");
    return decision;
  }
  if (!is_unlimited && !bucket_.Take(peer, SteadyClock::now())) {
    decision.refusal = Refusal(429, "Too many requests; try again later.");
    return decision;
  }
  for (const auto& [name, value] : config->headers) {
    if (!value.empty()) {
      decision.headers.push_back({name, value});
    }
  }
  if (config->users.empty()) {
    return decision;
  }
  const auto credentials = ParseBasicCredentials(head.Field("Authorization"));
  if (!credentials) {
    decision.refusal = Unauthorized();
    return decision;
  }
  auto verdict = authenticator_.Check(config->users, *credentials);
  if (const bool* known = std::get_if<bool>(&verdict)) {
    if (!*known) {
      decision.refusal = Unauthorized();
    }
    return decision;
  }
  decision.check = [check = std::get<Authenticator::PasswordCheck>(std::move(verdict))] {
    return check() ? std::nullopt : std::optional(Unauthorized());
  };
  return decision;
}

}  // namespace finwait::web_config
