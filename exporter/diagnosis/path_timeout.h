#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "collectors/base/ip.h"

namespace finwait::diagnosis {

/// More paths are not held against silences.
inline constexpr std::size_t kMostPaths = 8;

/// A device on the way to some peers (a NAT gateway, a load balancer) that forgets silent connections.
struct PathTimeout {
  std::string network;   ///< as it was given, "198.51.100.0/24": the label `path`
  IpAddress address;     ///< of the network: no bit set beyond `bits`
  std::size_t bits = 0;  ///< of `address` that count: up to 32, or 128
  std::chrono::seconds timeout{0};

  /// Whether a connection to `peer` takes this path.
  bool Covers(const IpAddress& peer) const;
};

/// The path that a connection to `peer` takes, by its position in `paths`: the most specific network that covers it, as
/// routes are chosen, and of equal ones the first. Nothing where none does.
std::optional<std::size_t> PathTo(const IpAddress& peer, std::span<const PathTimeout> paths);

/// Whether `address` has no bit set beyond its first `bits`.
bool IsNetwork(const IpAddress& address, std::size_t bits);

}  // namespace finwait::diagnosis
