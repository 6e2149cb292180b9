#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "collectors/kernel/tcp_socket.h"
#include "collectors/sources/sysctl.h"

namespace finwait::sources {

/// What an entry was given with its last packet, as far as its socket tells: at least what remains now, at most what
/// remains and the silence since. ctnetlink tells only what remains (CTA_TIMEOUT), and a timeout policy (`ct timeout`,
/// nfct) makes the sysctls void for its flows.
class EntryTimeout {
 public:
  using Seconds = std::chrono::seconds;

  /// `at_most`: nothing where the socket does not tell how long it has been silent.
  EntryTimeout(std::uint32_t remaining_seconds, std::optional<Seconds> at_most)
      : remaining_(remaining_seconds), at_most_(at_most) {}

  /// Whether an entry that was given `setting` could look like this.
  bool MayBe(Seconds setting) const;
  /// What it was given: `setting` where that may be, else the most that it can have been. Nothing where neither is
  /// known.
  std::optional<Seconds> Length(std::optional<Seconds> setting) const;
  /// Whether no sysctl gave it: neither the one of its state, nor one of those that replace it while data is
  /// unacknowledged.
  bool IsOwn(kernel::ConntrackTcpState state, const SysctlSample& sysctl) const;

 private:
  Seconds remaining_;
  std::optional<Seconds> at_most_;
};

/// The timeout that conntrack gives an entry in `state` with each packet, as far as sysctls tell.
std::optional<std::chrono::seconds> TimeoutOf(kernel::ConntrackTcpState state, const SysctlSample& sysctl);

}  // namespace finwait::sources
