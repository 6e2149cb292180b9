#include "collectors/kernel/netlink/transport.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "collectors/kernel/netlink/bound_socket.h"
#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/netlink/receive.h"

namespace finwait::kernel::netlink {

SocketTransport::SocketTransport(UniqueFd fd, int protocol, std::uint32_t port)
    : fd_(std::move(fd)), protocol_(protocol), port_(port), buffer_(kReceiveBuffer) {}

Result<std::unique_ptr<SocketTransport>> SocketTransport::Open(int protocol) {
  auto socket = OpenBoundSocket(protocol);
  if (!socket) {
    return Failure(socket.error());
  }
  return std::unique_ptr<SocketTransport>(new SocketTransport(std::move(socket->fd), protocol, socket->port));
}

Result<void> SocketTransport::WaitFor(short events, Deadline deadline, const char* operation) {
  return netlink::WaitFor(fd_.Get(), events, deadline, operation);
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
