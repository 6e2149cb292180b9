#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/http/auth_middleware.h"
#include "exporter/http/tls_sessions.h"
#include "exporter/web_config/web_config_file.h"

namespace finwait::web_config {

/// What a web configuration file puts before the service.
struct Protection {
  std::shared_ptr<http::TlsSessions> tls;  ///< null: plain HTTP
  std::shared_ptr<http::AuthMiddleware> auth;
  /// The folders of what is read again: of the file, of those that it names, of what those link to, and of the
  /// authorities that this system trusts. What it names later has to lie in one of them.
  std::vector<std::filesystem::path> folders;
};

/// Reads the file and everything that it names, and refuses what could not work: a file that cannot be read or is not
/// understood, TLS settings that do not go together, a user's hash that is none. Whether there is TLS, and the rate
/// limit, are settled here; everything else follows the files, and `of_changes` is told of them from then on.
/// The parts of the result are one: they must be used on one thread, or one after the other.
Result<Protection> OpenProtection(const std::filesystem::path& path, const ChangeReport& of_changes);

}  // namespace finwait::web_config
