#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "collectors/base/result.h"
#include "exporter/web_config/web_config.h"

namespace finwait::web_config {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContextPtr = std::unique_ptr<SSL_CTX, SslContextDeleter>;

/// A PEM text and what to call it: the key that holds it, or the file.
struct PemText {
  std::string name;
  std::string text;
};

/// The PEM texts that TLS settings name.
struct TlsMaterial {
  PemText certificate;  ///< the server's, then those that lead to its authority
  PemText key;
  PemText client_ca;  ///< where the settings name authorities
};

/// What server sessions are made from. Sessions cannot be resumed, so that each connection meets the settings of its
/// time. Errors are sentences about the setting or the material that does not work.
Result<SslContextPtr> MakeTlsContext(const TlsSettings& settings, const TlsMaterial& material);

}  // namespace finwait::web_config
