#include "exporter/http/tls_transport.h"

#include <sys/socket.h>

#include <cerrno>

#include <openssl/err.h>

namespace finwait::http {

namespace {

constexpr char kHandshakeRecord = 0x16;  // RFC 8446 section 5.1, ContentType
/// A record of its own kind, fatal, internal_error: RFC 8446 section 6.
constexpr std::string_view kInternalErrorAlert{"\x15\x03\x01\x00\x02\x02\x50", 7};

}  // namespace

Transport::Status TlsTransport::Handshake() {
  ERR_clear_error();
  const int result = SSL_accept(session_.get());
  if (result == 1) {
    return Status::kDone;
  }
  const int error = SSL_get_error(session_.get(), result);
  return error == SSL_ERROR_SSL ? Status::kRefused : FromError(result);  // OpenSSL has sent the alert
}

Transport::Status TlsTransport::Begin() {
  if (session_) {
    return Status::kDone;
  }
  char first = 0;
  const ssize_t length = recv(fd_, &first, 1, MSG_PEEK);
  if (length <= 0) {
    return length < 0 && (errno == EAGAIN || errno == EINTR) ? Status::kWantsRead : Status::kEnded;
  }
  if (first != kHandshakeRecord) {
    return first >= 'A' && first <= 'Z' ? Status::kPlain : Status::kEnded;
  }
  session_ = sessions_.NewSession();
  if (!session_ || SSL_set_fd(session_.get(), fd_) != 1) {
    [[maybe_unused]] const ssize_t sent =
        send(fd_, kInternalErrorAlert.data(), kInternalErrorAlert.size(), MSG_NOSIGNAL);  // an empty buffer takes it
    return Status::kRefused;
  }
  return Status::kDone;
}

Transport::Status TlsTransport::FromError(int result) const {
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Status::kWantsRead;
    case SSL_ERROR_WANT_WRITE:
      return Status::kWantsWrite;
    default:
      return Status::kEnded;
  }
}

Transport::Moved TlsTransport::Receive(std::span<char> buffer) {
  ERR_clear_error();
  std::size_t length = 0;
  const int result = SSL_read_ex(session_.get(), buffer.data(), buffer.size(), &length);
  return result == 1 ? Moved{Status::kDone, length} : Moved{FromError(result)};
}

std::size_t TlsTransport::RawReceived() const {
  return session_ ? static_cast<std::size_t>(BIO_number_read(SSL_get_rbio(session_.get()))) : 0;
}

Transport::Moved TlsTransport::Send(std::string_view head, std::string_view body) {
  ERR_clear_error();
  const std::string_view next = head.empty() ? body : head;
  std::size_t length = 0;
  const int result = SSL_write_ex(session_.get(), next.data(), next.size(), &length);
  return result == 1 ? Moved{Status::kDone, length} : Moved{FromError(result)};
}

Transport::Status TlsTransport::Finish() {
  ERR_clear_error();
  const int result = SSL_shutdown(session_.get());  // 0: our end is said, the client's not, which is not waited for
  return result >= 0 ? Status::kDone : FromError(result);
}

}  // namespace finwait::http
