#include "collectors/kernel/netlink/event_socket.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

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

// For poll: rounded up, so that nobody is woken too early; the longest that it takes is 24 days.
int MillisecondsUntil(SteadyClock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

}  // namespace

void EventSocket::WidenReceiveBuffer(int socket, int bytes) {
  // Not a failure when it cannot be had: what a smaller buffer loses is counted.
  if (bytes > 0 && ::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
}

EventSocket::EventSocket(int socket, UniqueFd own, UniqueFd stopped)
    : own_(std::move(own)), socket_(socket), stopped_(std::move(stopped)), buffer_(kDatagramBuffer) {}

EventSocket::~EventSocket() {
  if (lease_ != nullptr) {
    Unsubscribe();
  }
}

Result<std::unique_ptr<EventSocket>> EventSocket::Make(int socket, UniqueFd own) {
  UniqueFd stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stopped) {
    return FailErrno("open an eventfd", errno);
  }
  return std::unique_ptr<EventSocket>(new EventSocket(socket, std::move(own), std::move(stopped)));
}

Result<std::unique_ptr<EventSource>> EventSocket::Open(const Subscription& subscription) {
  UniqueFd own(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, subscription.protocol));
  if (!own) {
    return FailErrno("open a netlink socket of protocol " + std::to_string(subscription.protocol), errno);
  }
  const int socket = own.Get();
  auto events = Make(socket, std::move(own));
  if (!events) {
    return Failure(events.error());
  }
  WidenReceiveBuffer(socket, subscription.receive_buffer_bytes);
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return FailErrno("bind a netlink socket", errno);
  }
  if (auto subscribed = (*events)->Subscribe(subscription); !subscribed) {
    return Failure(subscribed.error());
  }
  return std::unique_ptr<EventSource>(std::move(*events));
}

Result<std::unique_ptr<EventSource>> EventSocket::OpenOver(int socket, const Subscription& subscription,
                                                           std::shared_ptr<void> lease) {
  auto events = Make(socket, UniqueFd());
  if (!events) {
    return Failure(events.error());
  }
  (*events)->lease_ = std::move(lease);
  if (auto subscribed = (*events)->Subscribe(subscription); !subscribed) {
    return Failure(subscribed.error());
  }
  return std::unique_ptr<EventSource>(std::move(*events));
}

Result<void> EventSocket::Subscribe(const Subscription& subscription) {
  // The filter is there before the first message can be.
  if (auto attached = AttachFilter(socket_, subscription.filter); !attached) {
    return attached;
  }
  for (const unsigned group : subscription.groups) {
    if (::setsockopt(socket_, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return FailErrno("subscribe to netlink group " + std::to_string(group), errno);
    }
    groups_.push_back(group);
  }
  return {};
}

void EventSocket::Unsubscribe() {
  for (const unsigned group : groups_) {
    ::setsockopt(socket_, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof group);
  }
  constexpr int kMostMessages = 100'000;  // others may send to this socket all the time
  for (int i = 0; i < kMostMessages; ++i) {
    const auto left = Next();
    if (left ? !*left : left.error().errno_code != ENOBUFS) {
      break;
    }
  }
}

Result<bool> EventSocket::Wait(const std::stop_token& stop, SteadyClock::time_point until) {
  const std::stop_callback wake(stop, [this] { ::eventfd_write(stopped_.Get(), 1); });
  for (;;) {
    pollfd polls[] = {{socket_, POLLIN, 0}, {stopped_.Get(), POLLIN, 0}};
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

Result<std::optional<Datagram>> EventSocket::Next() { return ReceiveWaiting(socket_, buffer_); }

}  // namespace finwait::kernel::netlink
