#include "exporter/http/plain_transport.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

namespace finwait::http {

namespace {

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

iovec Slice(std::string_view data) { return {const_cast<char*>(data.data()), data.size()}; }  // sendmsg only reads

}  // namespace

Transport::Moved PlainTransport::Receive(std::span<char> buffer) {
  const ssize_t length = recv(fd_, buffer.data(), buffer.size(), 0);
  if (length <= 0) {
    return {length < 0 && WouldBlock() ? Status::kWantsRead : Status::kEnded};
  }
  received_ += static_cast<std::size_t>(length);
  return {Status::kDone, static_cast<std::size_t>(length)};
}

Transport::Moved PlainTransport::Send(std::string_view head, std::string_view body) {
  std::array<iovec, 2> parts = {Slice(head), Slice(body)};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t length = sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (length < 0) {
    return {WouldBlock() ? Status::kWantsWrite : Status::kEnded};
  }
  return {Status::kDone, static_cast<std::size_t>(length)};
}

}  // namespace finwait::http
