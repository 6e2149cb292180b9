#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/interface.h"
#include "collectors/firewall/packet/interval_set.h"
#include "collectors/firewall/packet/packet.h"

namespace finwait::firewall::packet {

enum class PacketKind;
enum class PathKind;

/// What tells the connections of a class apart.
enum class Dimension : std::uint8_t {
  kOpener,  ///< kOpenedHere, kOpenedByPeer
  kRoute,   ///< positions in ConnectionClass::routes
  kPeerAddress,
  kLocalAddress,
  kPeerPort,
  kLocalPort,
  kUser,   ///< the local socket's owner
  kGroup,  ///< and that one's group
  kMark,   ///< its SO_MARK
};
inline constexpr std::size_t kDimensions = 9;
inline constexpr Wide kOpenedHere = 0;
inline constexpr Wide kOpenedByPeer = 1;

/// Peers that this host reaches alike.
struct RoutedPeers {
  facts::Interface device;
  std::optional<IpAddress> masquerade;  ///< what MASQUERADE gives on the way to them; absent: not known
  IntervalSet peers;
};

/// Connections of one family, as a product of sets: those of which each dimension has one of `values`. The device
/// follows from the peer, as routing has it: where routes are known, a connection is of the class only if its route's
/// peers hold its peer. An immutable value.
struct ConnectionClass {
  IpFamily family = IpFamily::kIpv4;
  std::array<IntervalSet, kDimensions> values;
  std::shared_ptr<const std::vector<RoutedPeers>> routes;  ///< never null; empty: nothing is known of devices
  /// The connection is seen from its other end, as a packet that answers its local end's.
  bool turned = false;

  const IntervalSet& Of(Dimension dimension) const { return values[static_cast<std::size_t>(dimension)]; }
  IntervalSet& Of(Dimension dimension) { return values[static_cast<std::size_t>(dimension)]; }

  /// Every connection of the family: any ports, owners and marks, whoever opened it.
  static ConnectionClass Everything(IpFamily family);
  /// Those of this class whose `dimension` is in `values`; routes and peers follow each other.
  ConnectionClass Within(Dimension dimension, const IntervalSet& values) const;
  bool Empty() const;
  /// How many values a dimension can have, in bits.
  unsigned BitsOf(Dimension dimension) const;

  /// The same with any local address and port: what the first packet from a peer was sent to before any translation.
  ConnectionClass WithAnyLocalEnd() const;
  /// The same seen from the other end.
  ConnectionClass Turned() const;

  /// Narrows a fresh packet down to those of the class. `outgoing`: the local end sends it.
  void Narrow(Packet& packet, bool outgoing, PathKind path) const;
  /// Whether a packet that came in with `packet`'s destination may belong to the class.
  bool MayArrive(const Packet& packet) const;
  /// The connections of the class whose packet of `kind` may have become `end`; at least those.
  ConnectionClass NarrowedTo(const Packet& end, PacketKind kind, PathKind path) const;
};

/// The one number that `set` holds, or nothing.
std::optional<Wide> OnlyValue(const IntervalSet& set);
/// An address as a number, and back.
Wide NumberOf(const IpAddress& address);
IpAddress AddressOf(Wide number, IpFamily family);

}  // namespace finwait::firewall::packet
