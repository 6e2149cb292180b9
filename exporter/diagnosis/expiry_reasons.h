#pragma once

#include <array>
#include <cstdint>

#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/entry_timeout.h"

namespace finwait::diagnosis {

/// What became of the conntrack entries of several connections, and whether a keepalive could have kept them.
struct ExpiryReasons {
  /// By the state that the entry was in, by position in kLiveConntrackStates; without those of `own`.
  std::array<std::uint64_t, std::size(kernel::kLiveConntrackStates)> timed_out = {};
  OwnTimeoutCount own;  ///< timed out after a timeout of their own, which no sysctl gave them
  std::uint64_t removed = 0;
  std::uint64_t unknown = 0;
  std::uint64_t with_keepalive = 0;
  std::uint64_t without_keepalive = 0;  ///< the rest: nobody saw

  /// `sysctl`: null where the timeouts cannot be read.
  void Add(const ConnectionHistory& history, const sources::SysctlSample* sysctl);
  ExpiryReasons& operator+=(const ExpiryReasons& other);
};

}  // namespace finwait::diagnosis
