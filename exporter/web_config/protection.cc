#include "exporter/web_config/protection.h"

#include "collectors/base/text.h"
#include "exporter/web_config/bcrypt.h"
#include "exporter/web_config/live_tls.h"
#include "exporter/web_config/web_auth.h"
#include "exporter/web_config/yaml_values.h"

namespace finwait::web_config {

Result<Protection> OpenProtection(const std::filesystem::path& path, const ChangeReport& report) {
  const auto file = std::make_shared<WebConfigFile>(path, report);
  const Result<WebConfig>& config = file->Now();
  if (!config) {
    return Failure(config.error());
  }
  for (const auto& [user, hash] : config->users) {
    if (const auto checked = CheckBcryptHash(hash); !checked) {
      return Fail(FailureReason::kError, path.string() + ": the password hash of user " + Quoted(user) +
                                             " cannot be used: " + checked.error().message);
    }
  }
  Protection protection;
  if (config->tls.IsEnabled()) {
    const auto tls = std::make_shared<LiveTls>(file, report);
    if (const auto checked = tls->Check(); !checked) {
      return Fail(FailureReason::kError, path.string() + ": " + checked.error().message);
    }
    protection.tls = tls;
  }
  protection.auth = std::make_shared<WebAuth>(file, config->rate_limit);
  return protection;
}

}  // namespace finwait::web_config
