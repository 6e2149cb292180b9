#pragma once

#include <memory>

#include "exporter/http/auth_middleware.h"
#include "exporter/web_config/authenticator.h"
#include "exporter/web_config/token_bucket.h"
#include "exporter/web_config/web_config_file.h"

namespace finwait::web_config {

/// Lets requests pass as the web configuration has it at the moment: rate limit (but for probes), then user and
/// password; and names the headers that every answer gets. The rate limit is that of the start. Not thread-safe.
class WebAuth final : public http::AuthMiddleware {
 public:
  WebAuth(std::shared_ptr<WebConfigFile> file, RateLimit rate_limit);

  Decision Decide(const http::Peer& peer, const http::RequestHead& head, bool is_unlimited) override;
  void Reload() override { (void)file_->Now(); }  // which tells of changes itself

 private:
  std::shared_ptr<WebConfigFile> file_;
  TokenBucket bucket_;
  Authenticator authenticator_;
};

}  // namespace finwait::web_config
