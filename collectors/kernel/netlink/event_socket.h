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

  /// The same over a socket that is bound already and stays open: its subscription ends with this object, and so does
  /// `lease`.
  static Result<std::unique_ptr<EventSource>> OpenOver(int socket, const Subscription& subscription,
                                                       std::shared_ptr<void> lease);
  ~EventSocket() override;
  EventSocket(const EventSocket&) = delete;
  EventSocket& operator=(const EventSocket&) = delete;

  /// More room for what waits, if it can be had.
  static void WidenReceiveBuffer(int socket, int bytes);

  Result<bool> Wait(const std::stop_token& stop, SteadyClock::time_point until) override;
  Result<std::optional<Datagram>> Next() override;

 private:
  EventSocket(int socket, UniqueFd own, UniqueFd stopped);
  static Result<std::unique_ptr<EventSocket>> Make(int socket, UniqueFd own);
  Result<void> Subscribe(const Subscription& subscription);
  void Unsubscribe();

  std::shared_ptr<void> lease_;  // of a socket that is not its own; ends last
  UniqueFd own_;
  int socket_;
  std::vector<unsigned> groups_;
  UniqueFd stopped_;  // an eventfd: readable once a stop was requested
  std::vector<std::byte> buffer_;
};

}  // namespace finwait::kernel::netlink
