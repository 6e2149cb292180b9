#pragma once

#include <memory>

#include <openssl/ssl.h>

namespace finwait::http {

struct SslDeleter {
  void operator()(SSL* session) const { SSL_free(session); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;

/// Where the server takes a TLS session for each connection from. Called on the event loop when the first byte of a
/// client's first message is there, so that what has changed by then takes effect.
class TlsSessions {
 public:
  virtual ~TlsSessions() = default;
  /// A session for the server's end, without a socket; null when there is none to be had now.
  virtual SslPtr NewSession() = 0;
  /// Looks at what sessions are made from again, now. Called on the event loop.
  virtual void Reload() {}
};

}  // namespace finwait::http
