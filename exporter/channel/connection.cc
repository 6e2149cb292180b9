#include "exporter/channel/connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace finwait::channel {
namespace {

constexpr std::size_t kGrowth = std::size_t{1} << 20;
// Well within what a socket between processes takes at once.
constexpr std::size_t kAtOnce = std::size_t{64} << 10;

Failure Gone() {
  return Fail(FailureReason::kError,
              "the other process of this program is gone; this one ends soon, too, for both to be started again");
}

}  // namespace

Connection::Connection(UniqueFd socket) : socket_(std::move(socket)), first_(sizeof(std::uint32_t) + kAtOnce) {}

Result<std::pair<Connection, Connection>> Connection::MakePair() {
  std::array<int, 2> ends = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return FailErrno("make a pair of sockets between the processes", errno);
  }
  return std::pair(Connection(UniqueFd(ends[0])), Connection(UniqueFd(ends[1])));
}

Connection Connection::Inherited(int descriptor) {
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return Connection(UniqueFd(descriptor));
}

void Connection::MoveTo(int number) {
  UniqueFd moved(::fcntl(socket_.Get(), F_DUPFD_CLOEXEC, number));
  if (moved) {
    socket_ = std::move(moved);
  }
}

Result<void> Connection::WaitFor(short events, Deadline deadline) const {
  for (;;) {
    pollfd waiting = {socket_.Get(), events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(deadline.Remaining().count()));
    if (ready > 0) {
      return {};
    }
    if (ready == 0) {
      return Fail(FailureReason::kTimeout, "the other process of this program did not answer in time");
    }
    if (errno != EINTR) {
      return FailErrno("wait for the other process of this program", errno);
    }
  }
}

Result<void> Connection::Send(std::span<const std::byte> message, Deadline deadline) {
  if (message.size() > kMostBytes) {
    return Fail(FailureReason::kError,
                "a message of " + std::to_string(message.size()) + " bytes is too long for the channel");
  }
  const auto length = static_cast<std::uint32_t>(message.size());
  // In one call, as a process may stand still between two: half a message has little time.
  const std::size_t more = std::min(message.size(), kAtOnce);
  std::memcpy(first_.data(), &length, sizeof length);
  std::ranges::copy(message.first(more), first_.begin() + sizeof length);
  for (std::span<const std::byte> rest :
       {std::span<const std::byte>(first_).first(sizeof length + more), message.subspan(more)}) {
    while (!rest.empty()) {
      const ssize_t sent = ::send(socket_.Get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        rest = rest.subspan(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        if (auto ready = WaitFor(POLLOUT, deadline); !ready) {
          return ready;
        }
      } else if (errno != EINTR) {
        return Gone();
      }
    }
  }
  return {};
}

Result<void> Connection::ReceiveInto(std::span<std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t received = ::recv(socket_.Get(), bytes.data(), bytes.size(), 0);
    if (received > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(received));
    } else if (received == 0 || (errno != EAGAIN && errno != EINTR)) {
      return Gone();
    } else if (errno == EAGAIN) {
      if (auto ready = WaitFor(POLLIN, deadline); !ready) {
        return ready;
      }
    }
  }
  return {};
}

Result<std::vector<std::byte>> Connection::Receive(Deadline deadline) {
  if (auto ready = WaitFor(POLLIN, deadline); !ready) {
    return Failure(ready.error());
  }
  const auto whole = Deadline::After(message_limit_);
  std::uint32_t length = 0;
  std::vector<std::byte> message;
  auto received = ReceiveInto(std::as_writable_bytes(std::span(&length, 1)), whole);
  if (received && length > longest_) {
    return Fail(FailureReason::kError,
                "the other process of this program announces a message of " + std::to_string(length) + " bytes");
  }
  while (received && message.size() < length) {
    const std::size_t before = message.size();
    message.resize(std::min<std::size_t>(length, before + kGrowth));
    received = ReceiveInto(std::span(message).subspan(before), whole);
  }
  if (!received) {
    // Half a message is as bad as none: whoever asks again would take its rest for a length.
    return Fail(FailureReason::kError, received.error().message);
  }
  return message;
}

void Connection::Shutdown() { ::shutdown(socket_.Get(), SHUT_RDWR); }

}  // namespace finwait::channel
