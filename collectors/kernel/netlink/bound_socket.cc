#include "collectors/kernel/netlink/bound_socket.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace finwait::kernel::netlink {

namespace {

// All three are refinements: a kernel that does not know one still answers.
void Refine(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(socket, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(socket, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
}

Result<BoundSocket> WithPort(UniqueFd fd) {
  sockaddr_nl address = {};
  socklen_t length = sizeof address;
  if (::getsockname(fd.Get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return FailErrno("read a netlink socket's port", errno);
  }
  return BoundSocket{std::move(fd), address.nl_pid};
}

}  // namespace

Result<BoundSocket> UseBoundSocket(UniqueFd fd) {
  Refine(fd.Get());
  return WithPort(std::move(fd));
}

Result<BoundSocket> OpenBoundSocket(int protocol) {
  BoundSocket socket;
  socket.fd = UniqueFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket.fd) {
    return FailErrno("open a netlink socket of protocol " + std::to_string(protocol), errno);
  }
  Refine(socket.fd.Get());
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (::bind(socket.fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return FailErrno("bind a netlink socket", errno);
  }
  return WithPort(std::move(socket.fd));
}

Result<void> WaitFor(int socket, short events, Deadline deadline, const char* operation) {
  for (;;) {
    pollfd poll = {socket, events, 0};
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

}  // namespace finwait::kernel::netlink
