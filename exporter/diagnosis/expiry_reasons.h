#pragma once

#include <array>
#include <cstdint>

#include "exporter/diagnosis/connection_history.h"

namespace finwait::diagnosis {

/// What became of the conntrack entries of several connections, and whether a keepalive could have kept them.
struct ExpiryReasons {
  /// By the state that the entry was in, by position in kLiveConntrackStates.
  std::array<std::uint64_t, std::size(kernel::kLiveConntrackStates)> timed_out = {};
  std::uint64_t removed = 0;
  std::uint64_t unknown = 0;
  std::uint64_t with_keepalive = 0;
  std::uint64_t without_keepalive = 0;  ///< the rest: nobody saw

  void Add(const ConnectionHistory& past);
  ExpiryReasons& operator+=(const ExpiryReasons& other);
};

}  // namespace finwait::diagnosis
