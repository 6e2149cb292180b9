#pragma once

#include <memory>
#include <set>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel {

/// The addresses of this network namespace. All are read once (RTM_GETADDR); after that the kernel tells which were
/// added, so that keeping up costs a look into an empty queue. An address that was removed stays known: connections
/// outlive it, and their conntrack entries by days. Not thread-safe; use it in the namespace that `host` is bound to.
///
/// Not known: addresses that are local by a route only ("AnyIP", `ip route add local`), and those of transparent
/// proxies.
class OwnAddresses {
 public:
  /// The most that are known at once. Beyond it the removed ones are forgotten; a host that really has more is an
  /// error.
  static constexpr std::size_t kMost = 65'536;

  explicit OwnAddresses(Host host) : host_(std::move(host)) {}

  /// Takes in what has been added since the last call.
  Result<void> Update(Deadline deadline);

  /// Whether `address` belongs, or belonged, to this namespace. All of 127.0.0.0/8 does.
  bool Contains(const IpAddress& address) const;

 private:
  Result<void> TakeInChanges();
  Result<void> ReadAll(Deadline deadline);
  Result<void> TakeIn(const netlink::Message& message);

  Host host_;
  std::unique_ptr<netlink::EventSource> changes_;
  bool all_read_ = false;
  std::set<IpAddress> known_;
};

}  // namespace finwait::kernel
