#include "exporter/http/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace finwait::http {

namespace {

/// What a client may send after its request before it is cut off: enough for the rest of a request that was refused
/// early, so that the refusal is seen.
constexpr std::size_t kMostDrained = 1024 * 1024;
/// Socket reads in one turn, so that one connection cannot hold the event loop.
constexpr int kReadsInATurn = 4;

Connection::Progress FromErrno() {
  return errno == EAGAIN || errno == EINTR ? Connection::Progress::kBlocked : Connection::Progress::kBroken;
}

iovec Slice(std::string_view data, std::size_t from) {
  data.remove_prefix(std::min(from, data.size()));
  return {const_cast<char*>(data.data()), data.size()};  // sendmsg only reads
}

}  // namespace

Connection::Progress Connection::Receive() {
  std::array<char, 4096> buffer;
  for (int turn = 0; turn < kReadsInATurn; ++turn) {
    const ssize_t length = recv(fd_.Get(), buffer.data(), buffer.size(), 0);
    if (length < 0) {
      return FromErrno();
    }
    if (length == 0) {
      return Progress::kBroken;
    }
    if (reader_.Read({buffer.data(), static_cast<std::size_t>(length)}) != RequestReader::State::kIncomplete) {
      return Progress::kDone;
    }
  }
  return Progress::kBlocked;
}

void Connection::StartSending(OutgoingResponse response) {
  phase_ = Phase::kSending;
  response_ = std::move(response);
}

Connection::Progress Connection::Send() {
  const std::string_view body = response_.body ? std::string_view(*response_.body) : "";
  while (sent_ < response_.Size()) {
    const std::size_t body_sent = sent_ - std::min(sent_, response_.head.size());
    std::array<iovec, 2> parts = {Slice(response_.head, sent_), Slice(body, body_sent)};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t length = sendmsg(fd_.Get(), &message, MSG_NOSIGNAL);
    if (length < 0) {
      return FromErrno();
    }
    sent_ += static_cast<std::size_t>(length);
  }
  return Progress::kDone;
}

void Connection::StartLingering(SteadyClock::time_point until) {
  phase_ = Phase::kLingering;
  linger_until_ = until;
  response_ = {};
  shutdown(fd_.Get(), SHUT_WR);
}

Connection::Progress Connection::Drain() {
  std::array<char, 16 * 1024> buffer;
  for (int turn = 0; turn < kReadsInATurn; ++turn) {
    const ssize_t length = recv(fd_.Get(), buffer.data(), buffer.size(), 0);
    if (length < 0) {
      return FromErrno();
    }
    if (length == 0) {
      return Progress::kDone;
    }
    drained_ += static_cast<std::size_t>(length);
    if (drained_ > kMostDrained) {
      return Progress::kBroken;
    }
  }
  return Progress::kBlocked;
}

bool Connection::HasLingered(SteadyClock::time_point now) const {
  int unacknowledged = 0;  // bytes, our FIN included
  return now >= linger_until_ && ioctl(fd_.Get(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

void Connection::Abort() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.Get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

}  // namespace finwait::http
