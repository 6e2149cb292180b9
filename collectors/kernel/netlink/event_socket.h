#pragma once

#include <memory>
#include <vector>

#include "collectors/base/unique_fd.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel::netlink {

/// A real AF_NETLINK socket that only listens: it never sends, subscribing is a matter of setsockopt.
class EventSocket : public EventSource {
 public:
  /// Subscribes in the calling thread's network namespace. kPermission where the groups need CAP_NET_ADMIN.
  static Result<std::unique_ptr<EventSource>> Open(const Subscription& subscription);

  Result<bool> Wait(const std::stop_token& stop, SteadyClock::time_point until) override;
  Result<std::optional<Datagram>> Next() override;

 private:
  EventSocket(UniqueFd socket, UniqueFd stopped);

  UniqueFd socket_;
  UniqueFd stopped_;  // an eventfd: readable once a stop was requested
  std::vector<std::byte> buffer_;
};

}  // namespace finwait::kernel::netlink
