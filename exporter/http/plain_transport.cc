#include "exporter/http/plain_transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace finwait::http {

namespace {

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

Transport::Moved PlainTransport::Receive(std::span<char> buffer) {
  const ssize_t length = recv(fd_, buffer.data(), buffer.size(), 0);
  if (length <= 0) {
    return {length < 0 && WouldBlock() ? Status::kWantsRead : Status::kEnded};
  }
  received_ += static_cast<std::size_t>(length);
  return {Status::kDone, static_cast<std::size_t>(length)};
}

// Not by sendmsg(), which could name an address where a filter of system calls cannot look: one for every socket.
Transport::Moved PlainTransport::Send(std::string_view head, std::string_view body) {
  std::size_t sent = 0;
  for (const auto& [data, more] : {std::pair(head, body.empty() ? 0 : MSG_MORE), std::pair(body, 0)}) {
    if (data.empty()) {
      continue;
    }
    const ssize_t length = send(fd_, data.data(), data.size(), MSG_NOSIGNAL | more);
    if (length < 0 && sent == 0) {
      return {WouldBlock() ? Status::kWantsWrite : Status::kEnded};
    }
    sent += length > 0 ? static_cast<std::size_t>(length) : 0;
    if (length < static_cast<ssize_t>(data.size())) {
      break;  // the rest is asked for again, and then finds out what is wrong
    }
  }
  return {Status::kDone, sent};
}

}  // namespace finwait::http
