#include "exporter/web_config/live_tls.h"

#include <filesystem>
#include <string>

namespace finwait::web_config {

namespace {

/// A file that the settings name, watched; nothing where they name none.
std::optional<WatchedFile> Watch(const std::filesystem::path& path) {
  return path.empty() ? std::nullopt : std::optional<WatchedFile>(path);
}

Result<PemText> TextOf(const std::optional<WatchedFile>& file, const std::string& key, const std::string& inline_text) {
  if (!file) {
    return PemText{key, inline_text};
  }
  if (!file->Content()) {
    return Failure(file->Content().error());
  }
  return PemText{file->Path().string(), *file->Content()};
}

}  // namespace

LiveTls::LiveTls(std::shared_ptr<WebConfigFile> file, ChangeReport report)
    : file_(std::move(file)), report_(std::move(report)) {
  Refresh();
  context_ = MakeContext();
}

Result<void> LiveTls::Check() {
  const std::uint64_t version = version_;
  if (Refresh()) {
    context_ = MakeContext();
    if (version_ == version || (file_->Now() && !context_)) {  // else the file has told of it itself
      report_(context_ ? Result<void>() : Failure(context_.error()));
    }
  }
  return context_ ? Result<void>() : Failure(context_.error());
}

http::SslPtr LiveTls::NewSession() { return Check() ? http::SslPtr(SSL_new(context_->get())) : nullptr; }

bool LiveTls::Refresh() {
  const Result<WebConfig>& config = file_->Now();
  bool changed = false;
  if (file_->Version() != version_) {
    version_ = file_->Version();
    changed = true;
    const TlsSettings settings = config ? config->tls : TlsSettings();
    certificate_ = Watch(settings.certificate_file);
    key_ = Watch(settings.key_file);
    client_ca_ = Watch(settings.client_ca_file);
  }
  for (std::optional<WatchedFile>* file : {&certificate_, &key_, &client_ca_}) {
    changed |= *file && (*file)->Refresh();
  }
  return changed;
}

Result<SslContextPtr> LiveTls::MakeContext() {
  const Result<WebConfig>& config = file_->Now();
  if (!config) {
    return Failure(config.error());
  }
  const TlsSettings& settings = config->tls;
  if (!settings.IsEnabled()) {
    return Fail(FailureReason::kError, "there is no tls_server_config; to serve without TLS, restart");
  }
  const auto missing = [](const std::string& name) {
    return Fail(FailureReason::kError, "tls_server_config has neither " + name + "_file nor " + name);
  };
  if (settings.certificate.empty() && settings.certificate_file.empty()) {
    return missing("cert");
  }
  if (settings.key.empty() && settings.key_file.empty()) {
    return missing("key");
  }
  const auto certificate = TextOf(certificate_, "cert", settings.certificate);
  const auto key = TextOf(key_, "key", settings.key);
  const auto client_ca = TextOf(client_ca_, "client_ca", settings.client_ca);
  for (const auto* text : {&certificate, &key, &client_ca}) {
    if (!*text) {
      return Failure(text->error());
    }
  }
  auto context = MakeTlsContext(settings, {*certificate, *key, *client_ca});
  if (!context) {
    return Fail(FailureReason::kError, "tls_server_config: " + context.error().message);
  }
  return context;
}

}  // namespace finwait::web_config
