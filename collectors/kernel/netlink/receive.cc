#include "collectors/kernel/netlink/receive.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace finwait::kernel::netlink {

Result<std::optional<Datagram>> ReceiveWaiting(int socket, std::span<std::byte> buffer) {
  for (;;) {
    sockaddr_nl sender = {};
    iovec vector = {buffer.data(), buffer.size()};
    msghdr message = {};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t size = ::recvmsg(socket, &message, 0);
    if (size >= 0) {
      return Datagram{buffer.first(static_cast<std::size_t>(size)), sender.nl_pid,
                      (message.msg_flags & MSG_TRUNC) != 0};
    }
    if (errno == EAGAIN) {
      return std::nullopt;
    }
    if (errno != EINTR) {
      return FailErrno("receive from netlink", errno);
    }
  }
}

}  // namespace finwait::kernel::netlink
