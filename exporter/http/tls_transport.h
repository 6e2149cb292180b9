#pragma once

#include "exporter/http/tls_sessions.h"
#include "exporter/http/transport.h"

namespace finwait::http {

/// TLS over the socket, by OpenSSL. `fd` and `sessions` must outlive this.
class TlsTransport final : public Transport {
 public:
  TlsTransport(int fd, TlsSessions& sessions) : fd_(fd), sessions_(sessions) {}

  Status Begin() override;
  Status Handshake() override;
  Moved Receive(std::span<char> buffer) override;
  bool HasBuffered() const override { return SSL_pending(session_.get()) > 0; }
  std::size_t RawReceived() const override;
  Moved Send(std::string_view head, std::string_view body) override;
  Status Finish() override;

 private:
  Status FromError(int result) const;

  int fd_;
  TlsSessions& sessions_;
  SslPtr session_;  ///< from the client's first byte on
};

}  // namespace finwait::http
