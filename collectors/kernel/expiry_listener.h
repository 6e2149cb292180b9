#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "collectors/base/result.h"
#include "collectors/kernel/conntrack_expiry.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/listening_budget.h"

namespace finwait::kernel {

/// What a listener has counted.
struct ExpiryCounts {
  /// By position in kLiveConntrackStates, then by ExpiryScope.
  std::array<std::array<std::uint64_t, std::size(kExpiryScopes)>, std::size(kLiveConntrackStates)> expired = {};
  /// How many times events were lost: the kernel had more of them than the socket's receive buffer could hold
  /// (ENOBUFS), or nobody listened (a pause, an error).
  std::uint64_t losses = 0;
  /// How long it has not listened because that would have cost too much.
  SteadyClock::duration paused{0};
};

/// Counts expiries of live TCP entries, from its start to its end, on a thread of its own. The thread is there because
/// conntrack collects expired entries in bursts, up to a minute's worth at 64 000 a second: no receive buffer of a
/// reasonable size would hold them from one collection to the next. It sleeps while nothing expires, but for a short
/// look at how many entries are made every few seconds. Where that is more than the limits pay for it pauses: it closes
/// its socket, upon which the kernel does nothing more for us, and later opens another.
class ExpiryListener {
 public:
  /// Kernel memory that events may take while they wait for the thread, as SO_RCVBUF counts it (the kernel doubles it,
  /// and charges 1280 bytes an event): room for 26 000, 0.4 s of the collecting worker at its fastest.
  static constexpr int kReceiveBuffer = 16 * 1024 * 1024;

  /// Subscribes, and counts on from `counts`. Fails when the kernel lets nobody listen here, or when this host's
  /// addresses cannot be read.
  static Result<std::unique_ptr<ExpiryListener>> Start(const Host& host, const ExpiryCounts& counts,
                                                       const ListeningLimits& limits, Deadline deadline);
  ExpiryListener(const ExpiryListener&) = delete;
  ExpiryListener& operator=(const ExpiryListener&) = delete;
  ~ExpiryListener() = default;

  ExpiryCounts Counts() const;
  /// Why it has stopped listening; nothing while it listens. What happens after that is not counted.
  std::optional<Error> Ended() const;

 private:
  using Events = std::unique_ptr<netlink::EventSource>;

  ExpiryListener(Host host, const ExpiryCounts& counts, const ListeningLimits& limits)
      : host_(std::move(host)), limits_(limits), counts_(counts) {}
  Result<void> Listen(const std::stop_token& stop, Events events, OwnAddresses& addresses);
  Result<void> HearUntil(SteadyClock::time_point until, const std::stop_token& stop, netlink::EventSource& events,
                         OwnAddresses& addresses);
  /// Entries made a second, as a probe tells that is open while this goes on hearing.
  Result<double> HearAndProbe(const std::stop_token& stop, netlink::EventSource& events, OwnAddresses& addresses);
  Result<void> HearWaiting(const std::stop_token& stop, netlink::EventSource& events, OwnAddresses& addresses);
  Result<void> CountDatagram(const netlink::Datagram& datagram, OwnAddresses& addresses);
  void Pause(SteadyClock::duration length, const std::stop_token& stop);

  const Host host_;
  const ListeningLimits limits_;
  mutable std::mutex mutex_;
  ExpiryCounts counts_;                                  // guarded by mutex_; without the pause that goes on
  std::optional<SteadyClock::time_point> paused_since_;  // guarded by mutex_
  std::optional<Error> ended_;                           // guarded by mutex_
  std::jthread thread_;                                  // last, so that it ends before what it uses goes
};

}  // namespace finwait::kernel
