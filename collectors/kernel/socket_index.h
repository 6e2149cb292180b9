#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "collectors/kernel/socket_table.h"

namespace finwait::kernel {

/// Finds sockets by their addresses: a hash of positions in a table that must outlive it, and whose sockets keep
/// their ends.
class SocketIndex {
 public:
  explicit SocketIndex(const SocketTable& sockets);
  /// The position of the socket with these two ends, or nothing. Sockets with the same ends (one in each of several
  /// VRFs) are one.
  std::optional<std::size_t> Find(const Endpoint& local, const Endpoint& peer) const;

 private:
  std::uint64_t Hash(const Endpoint& local, const Endpoint& peer) const;

  static constexpr std::uint32_t kEmpty = 0xffffffff;
  const SocketTable& sockets_;
  std::uint64_t seed_;  // random: peers choose their addresses and ports, and must not be able to choose who collides
  std::vector<std::uint32_t> slots_;  // a power of two, at most half full; linear probing
};

}  // namespace finwait::kernel
