#include "collectors/kernel/expiry_listener.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cerrno>
#include <condition_variable>
#include <new>
#include <system_error>

#include "collectors/kernel/conntrack_event_filter.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/creation_probe.h"
#include "collectors/kernel/netlink/messages.h"

namespace finwait::kernel {
namespace {

// For the thread, which has no collection's deadline: reading all addresses once more takes milliseconds.
constexpr auto kAddressesLimit = std::chrono::seconds(5);

Result<std::unique_ptr<netlink::EventSource>> Subscribe(const Host& host) {
  return host.open_events(
      {NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_DESTROY}, LiveExpiryFilter(), ExpiryListener::kReceiveBuffer});
}

Failure ListeningFailed(Error error) {
  error.message = "listen to conntrack events: " + error.message;
  return Failure(WithConntrackRemedy(std::move(error)));
}

}  // namespace

Result<std::unique_ptr<ExpiryListener>> ExpiryListener::Start(const Host& host, const ExpiryCounts& counts,
                                                              const ListeningLimits& limits, Deadline deadline) {
  auto events = Subscribe(host);
  if (!events) {
    return ListeningFailed(events.error());
  }
  OwnAddresses addresses(host);
  if (auto read = addresses.Update(deadline); !read) {
    return Failure(read.error());
  }
  std::unique_ptr<ExpiryListener> listener(new ExpiryListener(host, counts, limits));
  try {
    // The thread owns the socket and closes it when it ends: nothing may queue up for nobody.
    listener->thread_ = std::jthread([self = listener.get(), events = std::move(*events),
                                      addresses = std::move(addresses)](const std::stop_token& stop) mutable {
      Result<void> outcome;
      try {
        outcome = self->Listen(stop, std::move(events), addresses);
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
  ExpiryCounts counts = counts_;
  if (paused_since_) {
    counts.paused += SteadyClock::now() - *paused_since_;
  }
  return counts;
}

std::optional<Error> ExpiryListener::Ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Result<void> ExpiryListener::Listen(const std::stop_token& stop, Events events, OwnAddresses& addresses) {
  ListeningBudget budget(limits_);
  auto charged = SteadyClock::now();
  for (;;) {
    if (auto heard = HearUntil(charged + budget.NextCheck(), stop, *events, addresses); !heard) {
      return heard;
    }
    const auto rate = HearAndProbe(stop, *events, addresses);
    if (!rate) {
      return Failure(rate.error());
    }
    if (stop.stop_requested()) {
      return {};
    }
    const auto now = SteadyClock::now();
    const auto pause = budget.Charge(now - charged, *rate);
    charged = now;
    if (!pause) {
      continue;
    }
    if (auto heard = HearWaiting(stop, *events, addresses); !heard) {
      return heard;
    }
    events.reset();
    Pause(*pause, stop);
    if (stop.stop_requested()) {
      return {};
    }
    auto again = Subscribe(host_);
    if (!again) {
      return ListeningFailed(again.error());
    }
    events = std::move(*again);
    charged = SteadyClock::now();
  }
}

Result<double> ExpiryListener::HearAndProbe(const std::stop_token& stop, netlink::EventSource& events,
                                            OwnAddresses& addresses) {
  auto probe = CreationProbe::Start(host_);
  if (!probe) {
    return ListeningFailed(probe.error());
  }
  const auto start = SteadyClock::now();
  if (auto heard = HearUntil(start + limits_.check_length, stop, events, addresses); !heard) {
    return Failure(heard.error());
  }
  const auto made = std::move(*probe).Finish();
  if (!made) {
    return ListeningFailed(made.error());
  }
  return *made / std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void ExpiryListener::Pause(SteadyClock::duration length, const std::stop_token& stop) {
  const auto start = SteadyClock::now();
  std::unique_lock lock(mutex_);
  ++counts_.losses;
  paused_since_ = start;
  // Nobody notifies but a request to stop.
  std::condition_variable_any never;
  never.wait_until(lock, stop, start + length, [] { return false; });
  counts_.paused += SteadyClock::now() - start;
  paused_since_.reset();
}

Result<void> ExpiryListener::HearUntil(SteadyClock::time_point until, const std::stop_token& stop,
                                       netlink::EventSource& events, OwnAddresses& addresses) {
  while (SteadyClock::now() < until) {
    const auto ready = events.Wait(stop, until);
    if (!ready) {
      return Failure(ready.error());
    }
    if (!*ready) {
      return {};
    }
    if (auto heard = HearWaiting(stop, events, addresses); !heard) {
      return heard;
    }
  }
  return {};
}

Result<void> ExpiryListener::HearWaiting(const std::stop_token& stop, netlink::EventSource& events,
                                         OwnAddresses& addresses) {
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
  return {};
}

Result<void> ExpiryListener::CountDatagram(const netlink::Datagram& datagram, OwnAddresses& addresses) {
  if (datagram.sender_port != 0) {
    return {};  // not from the kernel
  }
  netlink::MessageReader reader(datagram.bytes);
  while (reader.Next()) {
    const auto expiry = DecodeConntrackExpiry(reader.Current());
    if (!expiry) {
      return Failure(expiry.error());
    }
    if (!*expiry) {
      continue;
    }
    ExpiryScope scope = ScopeOf(**expiry, addresses);
    if (scope == ExpiryScope::kForwarded) {
      // Unless the address is new: the kernel has told of it before it could have told of this.
      if (auto updated = addresses.Update(Deadline::After(kAddressesLimit)); !updated) {
        return updated;
      }
      scope = ScopeOf(**expiry, addresses);
    }
    const std::lock_guard lock(mutex_);
    ++counts_.expired[(*expiry)->state][static_cast<std::size_t>(scope)];
  }
  if (!reader.Sound() || datagram.truncated) {
    return Fail(FailureReason::kError, "read conntrack events: a malformed message");
  }
  return {};
}

}  // namespace finwait::kernel
