#include "collectors/kernel/netlink/event_socket.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

#include "collectors/kernel/netlink/receive.h"

namespace finwait::kernel::netlink {
namespace {

// Larger than any message that the kernel multicasts of its own accord.
constexpr std::size_t kDatagramBuffer = 16 * 1024;

Result<void> AttachFilter(int socket, const std::vector<sock_filter>& filter) {
  if (filter.empty()) {
    return {};
  }
  // The kernel copies the program; it only forgot to say const.
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return FailErrno("attach a filter to an event socket", errno);
  }
  return {};
}

void WidenReceiveBuffer(int socket, int bytes) {
  // Not a failure when it cannot be had: what a smaller buffer loses is counted.
  if (bytes > 0 && ::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
}

// For poll: rounded up, so that nobody is woken too early; the longest that it takes is 24 days.
int MillisecondsUntil(SteadyClock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

}  // namespace

EventSocket::EventSocket(UniqueFd socket, UniqueFd stopped)
    : socket_(std::move(socket)), stopped_(std::move(stopped)), buffer_(kDatagramBuffer) {}

Result<std::unique_ptr<EventSource>> EventSocket::Open(const Subscription& subscription) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, subscription.protocol));
  if (!socket) {
    return FailErrno("open a netlink socket of protocol " + std::to_string(subscription.protocol), errno);
  }
  UniqueFd stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stopped) {
    return FailErrno("open an eventfd", errno);
  }
  WidenReceiveBuffer(socket.Get(), subscription.receive_buffer_bytes);
  if (auto attached = AttachFilter(socket.Get(), subscription.filter); !attached) {
    return Failure(attached.error());
  }
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (::bind(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return FailErrno("bind a netlink socket", errno);
  }
  for (const unsigned group : subscription.groups) {
    if (::setsockopt(socket.Get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return FailErrno("subscribe to netlink group " + std::to_string(group), errno);
    }
  }
  return std::unique_ptr<EventSource>(new EventSocket(std::move(socket), std::move(stopped)));
}

Result<bool> EventSocket::Wait(const std::stop_token& stop, SteadyClock::time_point until) {
  const std::stop_callback wake(stop, [this] { ::eventfd_write(stopped_.Get(), 1); });
  for (;;) {
    pollfd polls[] = {{socket_.Get(), POLLIN, 0}, {stopped_.Get(), POLLIN, 0}};
    const int ready = ::poll(polls, 2, MillisecondsUntil(until));
    if (ready < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FailErrno("wait for netlink events", errno);
    }
    // An error on the socket (POLLERR: an overrun) is something that Next has to say.
    return ready > 0 && polls[1].revents == 0;
  }
}

Result<std::optional<Datagram>> EventSocket::Next() { return ReceiveWaiting(socket_.Get(), buffer_); }

}  // namespace finwait::kernel::netlink
