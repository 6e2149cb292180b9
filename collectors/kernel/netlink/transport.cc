#include "collectors/kernel/netlink/transport.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/netlink/receive.h"

namespace finwait::kernel::netlink {
namespace {

// The kernel caps a dump's buffers at 32 KiB; a single answer (a set with its description, a long rule) may be larger.
// Below 4 KiB ctnetlink loses entries without a word.
constexpr std::size_t kReceiveBuffer = 64 * 1024;

}  // namespace

SocketTransport::SocketTransport(UniqueFd fd, int protocol, std::uint32_t port)
    : fd_(std::move(fd)), protocol_(protocol), port_(port), buffer_(kReceiveBuffer) {}

Result<std::unique_ptr<SocketTransport>> SocketTransport::Open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) {
    return FailErrno("open a netlink socket of protocol " + std::to_string(protocol), errno);
  }
  // All three are refinements: a kernel that does not know one still answers.
  const int on = 1;
  ::setsockopt(fd.Get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd.Get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(fd.Get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);

  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return FailErrno("bind a netlink socket", errno);
  }
  socklen_t length = sizeof address;
  if (::getsockname(fd.Get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return FailErrno("read a netlink socket's port", errno);
  }
  return std::unique_ptr<SocketTransport>(new SocketTransport(std::move(fd), protocol, address.nl_pid));
}

Result<void> SocketTransport::WaitFor(short events, Deadline deadline, const char* operation) {
  for (;;) {
    pollfd poll = {fd_.Get(), events, 0};
    // One millisecond more than what is left: Remaining() rounds down, and a wait of 0 would spin.
    const auto left = std::min<std::int64_t>(deadline.Remaining().count() + 1, 60'000);
    const int ready = ::poll(&poll, 1, static_cast<int>(left));
    if (ready > 0) {
      return {};
    }
    if (ready < 0 && errno != EINTR) {
      return FailErrno(operation, errno);
    }
    if (deadline.Passed()) {
      return Fail(FailureReason::kTimeout, std::string(operation) + ": no answer within the deadline");
    }
  }
}

Result<void> SocketTransport::Send(Bytes datagram, Deadline deadline) {
  if (auto allowed = RequireReadOnly(protocol_, datagram); !allowed) {
    return allowed;
  }
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    const ssize_t sent = ::sendto(fd_.Get(), datagram.data(), datagram.size(), MSG_NOSIGNAL,
                                  reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    if (sent >= 0) {
      return {};
    }
    if (errno == EAGAIN) {
      if (auto ready = WaitFor(POLLOUT, deadline, "send to netlink"); !ready) {
        return ready;
      }
    } else if (errno != EINTR) {
      return FailErrno("send to netlink", errno);
    }
  }
}

Result<Datagram> SocketTransport::Receive(Deadline deadline) {
  for (;;) {
    const auto received = ReceiveWaiting(fd_.Get(), buffer_);
    if (!received) {
      return Failure(received.error());
    }
    if (*received) {
      return **received;
    }
    if (auto ready = WaitFor(POLLIN, deadline, "receive from netlink"); !ready) {
      return Failure(ready.error());
    }
  }
}

}  // namespace finwait::kernel::netlink
