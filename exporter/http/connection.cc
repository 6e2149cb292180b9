#include "exporter/http/connection.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "exporter/http/plain_transport.h"
#include "exporter/http/tls_transport.h"

namespace finwait::http {

namespace {

/// What a client may send after its request before it is cut off: enough for the rest of a request that was refused
/// early, so that the refusal is seen.
constexpr std::size_t kMostDrained = 1024 * 1024;
/// Socket reads in one turn, so that one connection cannot hold the event loop.
constexpr int kReadsInATurn = 4;

}  // namespace

Connection::Connection(UniqueFd fd, http::Peer peer, const Limits& limits, SteadyClock::time_point deadline,
                       TlsSessions* tls)
    : fd_(std::move(fd)),
      peer_(peer),
      phase_(tls == nullptr ? Phase::kReading : Phase::kHandshake),
      waits_for_(EPOLLIN),
      deadline_(deadline),
      raw_bytes_(limits.raw_bytes),
      head_limits_(limits.head),
      raw_limit_(limits.raw_bytes),
      reader_(limits.head) {
  if (tls == nullptr) {
    transport_ = std::make_unique<PlainTransport>(fd_.Get());
  } else {
    transport_ = std::make_unique<TlsTransport>(fd_.Get(), *tls);
  }
}

Connection::Progress Connection::From(Transport::Status status) {
  switch (status) {
    case Transport::Status::kDone:
      return Progress::kDone;
    case Transport::Status::kWantsRead:
      waits_for_ = EPOLLIN;
      return Progress::kBlocked;
    case Transport::Status::kWantsWrite:
      waits_for_ = EPOLLOUT;
      return Progress::kBlocked;
    case Transport::Status::kEnded:
      return Progress::kBroken;
    case Transport::Status::kRefused:
      return Progress::kRefused;
    case Transport::Status::kPlain:
      return Progress::kPlain;
  }
  return Progress::kBroken;
}

Connection::Progress Connection::BeginHandshake() {
  const Progress progress = From(transport_->Begin());
  if (progress == Progress::kDone) {
    phase_ = Phase::kInHandshake;
  } else if (progress == Progress::kRefused || progress == Progress::kPlain) {
    transport_ = std::make_unique<PlainTransport>(fd_.Get());
  }
  return progress;
}

Connection::Progress Connection::EndHandshake(Transport::Status status) {
  phase_ = Phase::kHandshake;
  has_begun_handshake_ = true;
  const Progress progress = From(status);
  if (SpendsTooMuch()) {
    return Progress::kBroken;
  }
  if (progress == Progress::kDone) {
    phase_ = Phase::kReading;
  } else if (progress == Progress::kRefused) {
    transport_ = std::make_unique<PlainTransport>(fd_.Get());
  }
  return progress;
}

Connection::Progress Connection::Receive() {
  std::array<char, 4096> buffer;
  for (int turn = 0; turn < kReadsInATurn || transport_->HasBuffered(); ++turn) {
    const Transport::Moved moved = transport_->Receive(buffer);
    if (moved.status != Transport::Status::kDone) {
      return From(moved.status);
    }
    if (SpendsTooMuch()) {
      return Progress::kBroken;
    }
    if (reader_.Read({buffer.data(), moved.bytes}) != RequestReader::State::kIncomplete) {
      return Progress::kDone;
    }
  }
  return From(Transport::Status::kWantsRead);
}

void Connection::StartSending(OutgoingResponse response) {
  phase_ = Phase::kSending;
  response_ = std::move(response);
}

Connection::Progress Connection::Send() {
  const std::string_view body = response_.body ? std::string_view(*response_.body) : "";
  while (sent_ < response_.Size()) {
    const std::size_t body_sent = sent_ - std::min(sent_, response_.head.size());
    const Transport::Moved moved =
        transport_->Send(std::string_view(response_.head).substr(sent_ - body_sent), body.substr(body_sent));
    if (moved.status != Transport::Status::kDone) {
      return From(moved.status);
    }
    sent_ += moved.bytes;
  }
  return response_.keep_alive ? Progress::kDone : From(transport_->Finish());
}

void Connection::AwaitNext(SteadyClock::time_point idle_until) {
  phase_ = Phase::kReading;
  ++requests_;
  is_probe_ = false;
  deadline_ = idle_until;
  raw_limit_ = transport_->RawReceived() + raw_bytes_;
  reader_ = RequestReader(head_limits_);
  response_ = {};
  sent_ = 0;
  waits_for_ = EPOLLIN;
}

void Connection::HalfClose(SteadyClock::time_point until) {
  phase_ = Phase::kHalfClosed;
  half_closed_until_ = until;
  response_ = {};
  transport_.reset();  // what still comes is not looked at
  waits_for_ = EPOLLIN;
  shutdown(fd_.Get(), SHUT_WR);
}

Connection::Progress Connection::Drain() {
  std::array<char, 16 * 1024> buffer;
  for (int turn = 0; turn < kReadsInATurn; ++turn) {
    const ssize_t length = recv(fd_.Get(), buffer.data(), buffer.size(), 0);
    if (length < 0) {
      return errno == EAGAIN || errno == EINTR ? Progress::kBlocked : Progress::kBroken;
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

bool Connection::IsHalfCloseOver(SteadyClock::time_point now) const {
  int unacknowledged = 0;  // bytes, our FIN included
  return now >= half_closed_until_ && ioctl(fd_.Get(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

void Connection::Abort() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.Get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

}  // namespace finwait::http
