#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "collectors/base/ip.h"
#include "collectors/kernel/tcp_socket.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/path_timeout.h"

namespace finwait::diagnosis {

/// What silences are held against.
struct IdleContext {
  const sources::SysctlSample* sysctl = nullptr;  ///< null where the timeouts cannot be read
  PerFamily<bool> conntrack_active = {true, true};
  std::span<const PathTimeout> paths;
};

/// After which silence a connection is forgotten, in seconds, and by whom.
struct TimeoutInForce {
  /// By conntrack here: what its entry is given with each packet, or without an entry what a new one would be. Nothing
  /// where conntrack is not active, or nobody can tell.
  std::optional<std::uint32_t> local;
  bool is_own = false;              ///< `local` is a timeout policy's (ct timeout), and no sysctl's
  std::optional<std::size_t> path;  ///< position in IdleContext::paths; nothing: no path covers the peer
  /// The shorter of `local` and the path's; nothing where neither forgets it.
  std::optional<std::uint32_t> shortest;
};

/// Of an open socket that has been silent for `silence_seconds`. A pure function.
TimeoutInForce TimeoutInForceOf(const kernel::TcpSocket& socket, std::uint32_t silence_seconds,
                                const IdleContext& context);

/// The shortest that any connection can be under, but for timeout policies; nothing where none is known.
std::optional<std::uint32_t> ShortestTimeout(const IdleContext& context);

}  // namespace finwait::diagnosis
