#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/interface.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/packet/connection_class.h"
#include "collectors/firewall/packet/packet.h"
#include "collectors/firewall/packet/tristate.h"

namespace finwait::firewall::packet {

using facts::Interface;

/// The loopback device: every namespace has it under this name and index.
Interface Loopback();
/// The VRF of which `port` is one, as a device; without it, a device of which nothing is known.
Interface VrfOf(const Interface& port);

/// How a connection's packets travel through this network namespace.
enum class PathKind {
  kLocal,      ///< a socket here, the peer elsewhere
  kLoopback,   ///< both sockets here: every packet goes out through lo and comes in through it
  kForwarded,  ///< both sockets elsewhere; "local" is the end whose packets are looked at
};

/// Which end opened a connection.
enum class OpenedBy { kLocal, kPeer, kUnknown };

/// What rules can ask of the socket that sends a packet. What is absent is not known.
struct SocketFacts {
  std::optional<std::uint32_t> mark = 0;  ///< SO_MARK (INET_DIAG_MARK)
  std::optional<std::uint32_t> user;      ///< owner, as long as a process holds the socket
  std::optional<std::uint32_t> group;
  /// A process still holds it; else it is an orphan already.
  bool held = true;
  std::optional<std::uint8_t> type_of_service;      ///< IP_TOS, IPV6_TCLASS
  std::optional<std::uint8_t> time_to_live;         ///< IP_TTL or net.ipv4.ip_default_ttl; the IPv6 hop limit
  std::optional<bool> timestamps = {};              ///< TCP timestamps were agreed on: packets carry them, both ways
  std::optional<bool> transparent = {};             ///< IP_TRANSPARENT
  std::optional<std::uint64_t> control_group = {};  ///< cgroup v2, by its number
  /// The class of net_cls or, where it has none, the socket's priority (INET_DIAG_CLASS_ID).
  std::optional<std::uint32_t> class_or_priority = {};
  std::optional<std::uint32_t> priority = {};  ///< SO_PRIORITY, which its packets have
};

/// How the packets of a connection whose local end is in another namespace come through this host.
struct Passage {
  std::optional<Interface> bridge_port;  ///< the port of the bridge Connection::ingress that the local end is behind
  /// br_netfilter has IP rules called for what passes a bridge (net.bridge.bridge-nf-call-iptables, -ip6tables).
  Tristate bridge_calls_rules = Tristate::kUnknown;
  bool bridged = false;      ///< both ends are behind ports of one bridge: not routed here
  bool peer_is_own = false;  ///< the peer's address is this host's: what nat does not translate is received here
  /// What routing picks for packets to the local end is Connection::ingress.
  Tristate symmetric = Tristate::kUnknown;
};

/// A TCP connection as the firewall sees it. What is absent is not known; in the representative connection (`general`)
/// it is instead what no rule singles out, see Decide() in condition.h.
struct Connection {
  IpFamily family = IpFamily::kIpv4;
  PathKind path_kind = PathKind::kLocal;
  bool general = false;
  std::optional<Endpoint> local;
  std::optional<Endpoint> peer;
  /// The device that routing picks for packets to the peer. kLoopback: ignored, unless it is a VRF, which is then the
  /// connection's loopback.
  Interface egress;
  /// The port of `egress`, where that is a bridge; absent: not known.
  std::optional<Interface> egress_port;
  /// The device that the peer's packets arrive on; absent: the same as `egress`, unless kForwarded. kForwarded: where
  /// packets of the local end come in.
  std::optional<Interface> ingress;
  /// The address that MASQUERADE gives to packets that leave through `egress`; absent: not known.
  std::optional<IpAddress> masquerade;
  /// Where routing sends packets to the peer: the gateway or the peer itself, and its realm; absent: not known.
  std::optional<IpAddress> next_hop;
  std::optional<std::uint32_t> realm;
  /// What routing is told of the packets that the local end sends; absent: not known. Where rules change a packet's
  /// destination or mark, the route of what comes out is asked for by it. kForwarded: present where each packet is to
  /// be routed by what prerouting has made of it.
  std::optional<facts::RouteKey> routing;
  /// Routing refuses what the local end sends: it has no route, or one of type unreachable, blackhole or prohibit.
  /// kLoopback, kForwarded: ignored.
  bool unroutable = false;
  /// This host has lost the local end's address: nothing that is sent to it is received. As above.
  bool address_gone = false;
  /// Routing refuses it, and is not asked: what rules alone make of it.
  bool as_if_routed = false;
  /// kForwarded: what only packets on their way through this host have.
  Passage passage;
  /// Whether nat translated it when it was opened. Its data may make an entry again, and be translated again.
  Tristate translated = Tristate::kNo;
  /// What is beyond this host's nat, which its entry tells. What has an entry is translated by it; see WithEntry().
  struct BeyondNat {
    /// The ends that the connection has there.
    Endpoint local;
    Endpoint peer;
    /// Where routing sends packets to that peer: its device, and the port where that is a bridge. kForwarded: not used,
    /// as `egress`, `routing` and `passage` are then those of that way.
    Interface egress = {};
    std::optional<Interface> egress_port = {};
    bool peer_is_own = false;  ///< that peer is this host itself
  };
  /// Absent: it is not translated or, where `translated` says otherwise, to which ends is not known.
  std::optional<BeyondNat> beyond_nat;
  OpenedBy opened_by = OpenedBy::kUnknown;
  /// The local end's socket; kForwarded: ignored.
  SocketFacts local_socket;
  /// kLoopback: the other end's socket.
  SocketFacts peer_socket;
  /// Any connection of this class, of which nothing narrower is known; null: no class. `local` and `peer` are absent.
  std::shared_ptr<const ConnectionClass> within;
};

/// The connection that stands for all that no narrower rule singles out: between unicast addresses, not over
/// loopback, by a socket without a mark.
Connection RepresentativeFlow(IpFamily family, PathKind path_kind = PathKind::kLocal);

/// The packets whose fate decides how a connection ends. "Outgoing" ones are sent by the local end.
enum class PacketKind {
  kFin,      ///< outgoing FIN|ACK
  kRst,      ///< outgoing RST|ACK: closed with unread data, or SO_LINGER 0
  kData,     ///< outgoing ACK, with data or without
  kAck,      ///< the peer's ACK without data, as it answers a FIN
  kPeerFin,  ///< the peer's FIN|ACK
  kSyn,      ///< the connection's first packet, outgoing; only for EvaluateNat
  kPeerSyn,  ///< the connection's first packet, incoming; only for EvaluateNat
};

/// Whether the local end sends it.
bool IsOutgoing(PacketKind kind);

/// The connection as packets of `kind` meet it that its entry translates. What this end sends is routed to the peer
/// that its socket knows, and by nat's destination again; what the peer beyond nat sends comes from where that is.
Connection WithEntry(const Connection& connection, PacketKind kind);

/// The packet of that kind, before any hook.
Packet MakePacket(const Connection& connection, PacketKind kind);

}  // namespace finwait::firewall::packet
