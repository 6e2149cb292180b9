#include "exporter/web_config/protection.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "collectors/base/text.h"
#include "exporter/privilege/library_files.h"
#include "exporter/web_config/bcrypt.h"
#include "exporter/web_config/live_tls.h"
#include "exporter/web_config/web_auth.h"
#include "exporter/web_config/yaml_values.h"

namespace finwait::web_config {
namespace {

std::vector<std::filesystem::path> FoldersOf(const std::filesystem::path& path, const TlsSettings& tls) {
  std::vector<std::filesystem::path> folders;
  for (const std::filesystem::path& file : {path, tls.certificate_file, tls.key_file, tls.client_ca_file}) {
    if (!file.empty()) {
      std::error_code error;
      folders.push_back(std::filesystem::absolute(file, error).parent_path());
      folders.push_back(std::filesystem::weakly_canonical(file, error).parent_path());
    }
  }
  if (tls.IsEnabled()) {
    const auto trusted = privilege::TlsFiles();
    folders.insert(folders.end(), trusted.begin(), trusted.end());
  }
  return folders;
}

// A change names a file that cannot be read: where it was readable, it lies outside the folders of the start.
ChangeReport WithRemedy(const ChangeReport& report) {
  return [report](const Result<void>& usable) {
    if (usable || usable.error().reason != FailureReason::kPermission) {
      report(usable);
      return;
    }
    Error error = usable.error();
    error.message += "; restart to use files in another folder";
    report(Failure(std::move(error)));
  };
}

}  // namespace

Result<Protection> OpenProtection(const std::filesystem::path& path, const ChangeReport& of_changes) {
  const ChangeReport report = WithRemedy(of_changes);
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
  protection.folders = FoldersOf(path, config->tls);
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
