#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "collectors/base/result.h"
#include "exporter/http/tls_sessions.h"
#include "exporter/web_config/tls_context.h"
#include "exporter/web_config/watched_file.h"
#include "exporter/web_config/web_config_file.h"

namespace finwait::web_config {

/// TLS sessions as the web configuration, certificates, key and authorities are at the moment. Not thread-safe.
class LiveTls final : public http::TlsSessions {
 public:
  /// `report` is told of certificates and keys that change; `file` has its own. Not called for the first reading.
  LiveTls(std::shared_ptr<WebConfigFile> file, ChangeReport report);

  /// Why there are no sessions to be had now, if so. Looks again.
  Result<void> Check();
  http::SslPtr NewSession() override;
  void Reload() override { (void)Check(); }

 private:
  /// Whether anything is not as it was at the last reading.
  bool Refresh();
  Result<SslContextPtr> MakeContext();

  std::shared_ptr<WebConfigFile> file_;
  ChangeReport report_;
  std::uint64_t version_ = 0;               ///< of file_, that the rest belongs to
  std::optional<WatchedFile> certificate_;  ///< where the settings name a file
  std::optional<WatchedFile> key_;
  std::optional<WatchedFile> client_ca_;
  Result<SslContextPtr> context_ = Fail(FailureReason::kError, "");
};

}  // namespace finwait::web_config
