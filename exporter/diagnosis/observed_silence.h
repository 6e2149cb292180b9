#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "collectors/kernel/socket_table.h"
#include "collectors/sources/sysctl.h"

namespace finwait::diagnosis {

/// Open sockets of other namespaces, each with the idle time that its entry in this host's table tells.
struct ObservedSilence {
  kernel::SocketTable sockets;
  std::vector<std::uint32_t> namespaces;  ///< by position in `sockets`: sources::OtherNamespace::id
  std::uint64_t untold = 0;               ///< further ones, of which no entry tells
};

/// How long the connection of a socket has been silent whose list has no idle time (/proc/PID/net/tcp): what its entry
/// was given with the last packet, less what remains. Nothing where no entry tells, or where it may have been given a
/// shorter timeout than its state's: a moment would be taken for days.
/// `at_most`: what it can have been given, from samples before (ConnectionHistory::entry_timeout_at_most).
/// `flowtables`: this host's rules hand connections to flowtables, which leave an entry a day at most (Linux 6.14).
std::optional<std::chrono::seconds> SilenceByEntry(const kernel::TcpSocket& socket,
                                                   std::optional<std::chrono::seconds> at_most,
                                                   const sources::SysctlSample& sysctl, bool flowtables);

}  // namespace finwait::diagnosis
