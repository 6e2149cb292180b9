#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/sysctl.h"

namespace finwait::sources {

/// The timeouts of entries whose sockets show that no sysctl gave them: those of a timeout policy (`ct timeout`, nfct),
/// which ctnetlink does not tell. In 16 bytes each; a host without such policies has none.
class OwnTimeouts {
 public:
  OwnTimeouts() = default;
  /// Of those of `sockets`, which are joined with their entries, that are open: see EntryTimeout::IsOwn.
  OwnTimeouts(const kernel::SocketTable& sockets, const SysctlSample& sysctl);

  bool IsEmpty() const { return timeouts_.empty(); }
  /// In seconds, about: of the entry in which `source` sends to `destination`. Nothing where it has none of its own.
  std::optional<std::uint32_t> Find(const Endpoint& source, const Endpoint& destination) const;

 private:
  struct Timeout {
    std::uint64_t ends;  // a hash of both
    std::uint32_t seconds;
  };
  std::vector<Timeout> timeouts_;  // by `ends`
};

/// Those that whoever joined all sockets last has found. Thread-safe.
class KnownOwnTimeouts {
 public:
  void Set(std::shared_ptr<const OwnTimeouts> timeouts) {
    const std::lock_guard lock(mutex_);
    newest_ = std::move(timeouts);
  }
  /// Never null.
  std::shared_ptr<const OwnTimeouts> Get() const {
    const std::lock_guard lock(mutex_);
    return newest_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const OwnTimeouts> newest_ = std::make_shared<const OwnTimeouts>();
};

}  // namespace finwait::sources
