#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>

#include "exporter/http/peer.h"
#include "exporter/http/workers.h"

namespace finwait::http {

/// Work that clients can make the server do before they have proven anything: one at a time, few waiting, and of those
/// only a share from one peer, so that whoever floods it keeps room for others.
class PasswordChecks {
 public:
  /// Throws std::system_error when the system has no thread left.
  PasswordChecks(std::size_t capacity, std::size_t per_peer)
      : per_peer_(per_peer), workers_("http-check", 1, capacity) {}

  /// Queues `task`, which must not throw; false when there are too many already.
  bool Submit(const Peer& peer, std::function<void()> task);
  void Stop() { workers_.Stop(); }

 private:
  bool Enter(const Peer& peer);
  void Leave(const Peer& peer);

  const std::size_t per_peer_;
  std::mutex mutex_;
  std::map<Peer, std::size_t> of_peer_;
  Workers workers_;  // last, as its thread uses the rest
};

}  // namespace finwait::http
