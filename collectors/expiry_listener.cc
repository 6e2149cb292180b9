#include "collectors/expiry_listener.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "collectors/conntrack_event_filter.h"
#include "collectors/conntrack_presence.h"
#include "collectors/netlink/messages.h"

namespace finwait {
namespace {

// For the thread, which has no look's deadline: reading all addresses once more takes milliseconds.
constexpr auto kAddressesLimit = std::chrono::seconds(5);

}  // namespace

Result<std::unique_ptr<ExpiryListener>> ExpiryListener::Start(const Host& host, const ExpiryCounts& counts,
                                                              Deadline deadline) {
  auto events = host.open_events({NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_DESTROY}, LiveExpiryFilter(), kReceiveBuffer});
  if (!events) {
    events.error().message = "listen to conntrack events: " + events.error().message;
    return Failure(WithConntrackRemedy(events.error()));
  }
  OwnAddresses addresses(host);
  if (auto read = addresses.Update(deadline); !read) {
    return Failure(read.error());
  }
  std::unique_ptr<ExpiryListener> listener(new ExpiryListener(counts));
  try {
    // The thread owns the socket and closes it when it ends: nothing may queue up for nobody.
    listener->thread_ = std::jthread([self = listener.get(), events = std::move(*events),
                                      addresses = std::move(addresses)](const std::stop_token& stop) mutable {
      Result<void> outcome;
      try {
        outcome = self->Listen(stop, *events, addresses);
      } catch (const std::bad_alloc&) {
        outcome = FailErrno("listen to conntrack events", ENOMEM);
      }
      if (!outcome) {
        const std::lock_guard lock(self->mutex_);
        self->ended_ = std::move(outcome.error());
      }
    });
  } catch (const std::system_error& error) {
    return FailErrno("start a thread that listens to conntrack events", error.code().value());
  }
  return listener;
}

ExpiryCounts ExpiryListener::Counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::optional<Error> ExpiryListener::Ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Result<void> ExpiryListener::Listen(const std::stop_token& stop, netlink::EventSource& events,
                                    OwnAddresses& addresses) {
  for (;;) {
    const auto ready = events.Wait(stop);
    if (!ready) {
      return Failure(ready.error());
    }
    if (!*ready) {
      return {};
    }
    while (!stop.stop_requested()) {
      const auto datagram = events.Next();
      if (!datagram && datagram.error().errno_code == ENOBUFS) {
        const std::lock_guard lock(mutex_);
        ++counts_.losses;
        continue;
      }
      if (!datagram) {
        return Failure(datagram.error());
      }
      if (!*datagram) {
        break;
      }
      if (auto counted = CountDatagram(**datagram, addresses); !counted) {
        return counted;
      }
    }
  }
}

Result<void> ExpiryListener::CountDatagram(const netlink::Datagram& datagram, OwnAddresses& addresses) {
  if (datagram.sender_port != 0) {
    return {};  // not from the kernel
  }
  Result<void> outcome;
  const bool sound = netlink::ForEachMessage(datagram.bytes, [&](const netlink::Message& message) {
    const auto expiry = DecodeConntrackExpiry(message);
    if (outcome && !expiry) {
      outcome = Failure(expiry.error());
    }
    if (!outcome || !*expiry) {
      return;
    }
    ExpiryScope scope = ScopeOf(**expiry, addresses);
    if (scope == ExpiryScope::kForwarded) {
      // Unless the address is new: the kernel has told of it before it could have told of this.
      outcome = addresses.Update(Deadline::After(kAddressesLimit));
      scope = ScopeOf(**expiry, addresses);
    }
    if (outcome) {
      const std::lock_guard lock(mutex_);
      ++counts_.expired[(*expiry)->state][static_cast<std::size_t>(scope)];
    }
  });
  if (outcome && (!sound || datagram.truncated)) {
    return Fail(FailureReason::kError, "read conntrack events: a malformed message");
  }
  return outcome;
}

}  // namespace finwait
