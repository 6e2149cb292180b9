#include "collectors/kernel/netlink/event_socket_pool.h"

#include <linux/netlink.h>

#include <algorithm>
#include <utility>

#include "collectors/kernel/netlink/event_socket.h"

namespace finwait::kernel::netlink {

Result<std::shared_ptr<EventSocketPool>> EventSocketPool::Make(std::span<const int> buffers) {
  std::shared_ptr<EventSocketPool> pool(new EventSocketPool());
  for (const int bytes : buffers) {
    auto socket = OpenBoundSocket(NETLINK_NETFILTER);
    if (!socket) {
      return Failure(socket.error());
    }
    EventSocket::WidenReceiveBuffer(socket->fd.Get(), bytes);
    pool->sockets_.push_back({bytes, std::move(*socket)});
  }
  return pool;
}

Result<std::unique_ptr<EventSource>> EventSocketPool::Open(const Subscription& subscription) {
  std::size_t position = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto free = std::find_if(sockets_.begin(), sockets_.end(), [&](const Wide& wide) {
      // A filter replaces the one before; without one, that would stay.
      return subscription.protocol == NETLINK_NETFILTER && !subscription.filter.empty() &&
             wide.bytes == subscription.receive_buffer_bytes && !wide.taken;
    });
    if (free == sockets_.end()) {
      return EventSocket::Open(subscription);
    }
    free->taken = true;
    position = static_cast<std::size_t>(free - sockets_.begin());
  }
  // Given back by whoever destroys it, the source of events or, where there will be none, this function.
  std::shared_ptr<void> lease(nullptr, [pool = shared_from_this(), position](void*) { pool->Return(position); });
  return EventSocket::OpenOver(sockets_[position].socket.fd.Get(), subscription, std::move(lease));
}

void EventSocketPool::Return(std::size_t position) {
  const std::lock_guard lock(mutex_);
  sockets_[position].taken = false;
}

}  // namespace finwait::kernel::netlink
