#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "collectors/conntrack_expiry.h"
#include "collectors/host.h"
#include "collectors/result.h"

namespace finwait {

/// What a listener has counted.
struct ExpiryCounts {
  /// By position in kLiveConntrackStates, then by ExpiryScope.
  std::array<std::array<std::uint64_t, std::size(kExpiryScopes)>, std::size(kLiveConntrackStates)> expired = {};
  /// How many times events were lost: the kernel had more of them than the socket's receive buffer could hold
  /// (ENOBUFS).
  std::uint64_t losses = 0;
};

/// Counts expiries of live TCP entries, from its start to its end, on a thread of its own. The thread is there because
/// conntrack collects expired entries in bursts, up to a minute's worth at 64 000 a second: no receive buffer of a
/// reasonable size would hold them from one look to the next. It sleeps while nothing expires.
class ExpiryListener {
 public:
  /// Kernel memory that events may take while they wait for the thread, as SO_RCVBUF counts it (the kernel doubles it,
  /// and charges 1280 bytes an event): room for 26 000, 0.4 s of the collecting worker at its fastest.
  static constexpr int kReceiveBuffer = 16 * 1024 * 1024;

  /// Subscribes, and counts on from `counts`. Fails when the kernel lets nobody listen here, or when this host's
  /// addresses cannot be read.
  static Result<std::unique_ptr<ExpiryListener>> Start(const Host& host, const ExpiryCounts& counts, Deadline deadline);
  ExpiryListener(const ExpiryListener&) = delete;
  ExpiryListener& operator=(const ExpiryListener&) = delete;
  ~ExpiryListener() = default;

  ExpiryCounts Counts() const;
  /// Why it has stopped listening; nothing while it listens. What happens after that is not counted.
  std::optional<Error> Ended() const;

 private:
  explicit ExpiryListener(const ExpiryCounts& counts) : counts_(counts) {}
  Result<void> Listen(const std::stop_token& stop, netlink::EventSource& events, OwnAddresses& addresses);
  Result<void> CountDatagram(const netlink::Datagram& datagram, OwnAddresses& addresses);

  mutable std::mutex mutex_;
  ExpiryCounts counts_;         // guarded by mutex_
  std::optional<Error> ended_;  // guarded by mutex_
  std::jthread thread_;         // last, so that it ends before what it uses goes
};

}  // namespace finwait
