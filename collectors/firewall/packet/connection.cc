#include "collectors/firewall/packet/connection.h"

#include <net/if_arp.h>
#include <netinet/in.h>

#include <algorithm>
#include <span>
#include <vector>

namespace finwait::firewall::packet {
namespace {

constexpr std::uint8_t kTcpFin = 0x01;
constexpr std::uint8_t kTcpSyn = 0x02;
constexpr std::uint8_t kTcpRst = 0x04;
constexpr std::uint8_t kTcpPush = 0x08;
constexpr std::uint8_t kTcpAck = 0x10;
constexpr std::size_t kFlags = 13;  // offset in the TCP header

void PutField(std::span<AbstractByte> place, Field field) {
  for (std::size_t i = 0; i < place.size(); ++i) {
    place[i] = AbstractByte::Of(field, static_cast<unsigned>(i));
  }
}

void PutKnown(std::span<AbstractByte> place, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < place.size(); ++i) {
    place[i] = AbstractByte::Known(bytes[i]);
  }
}

void PutAddress(std::span<AbstractByte> place, const std::optional<Endpoint>& end, Field field, Packet& packet) {
  if (end) {
    PutKnown(place, end->address.Bytes());
    return;
  }
  PutField(place, field);
  // A connection has unicast addresses, and over anything but loopback no loopback ones. Linux takes 0.0.0.0/8 (but for
  // 0.0.0.0) and 240.0.0.0/4 (but for the broadcast) for unicast; the representative flow is not of them.
  if (packet.family == IpFamily::kIpv4 && packet.general) {
    packet.Restrict(field, IntervalSet::Union({{0x01000000, 0x7effffff}, {0x80000000, 0xdfffffff}}));
  } else if (packet.family == IpFamily::kIpv4) {
    packet.Restrict(field, IntervalSet::Union({{1, 0x7effffff}, {0x80000000, 0xdfffffff}, {0xf0000000, 0xfffffffe}}));
  } else if (packet.general) {
    packet.Restrict(field, IntervalSet::Between(Wide{0x2} << 124, (Wide{0x4} << 124) - 1));  // global unicast, 2000::/3
  } else {
    packet.Restrict(field, IntervalSet::Between(2, (Wide{0xff} << 120) - 1));
  }
}

void PutPort(std::span<AbstractByte> place, const std::optional<Endpoint>& end, Field field, Packet& packet) {
  if (end) {
    place[0] = AbstractByte::Known(static_cast<std::uint8_t>(end->port >> 8));
    place[1] = AbstractByte::Known(static_cast<std::uint8_t>(end->port));
    return;
  }
  PutField(place, field);
  packet.Restrict(field, IntervalSet::Between(1, 0xffff));
}

// The sizes that the TCP header of such a packet can have. Packets without data carry no option but timestamps, which
// both ends have agreed on or not.
IntervalSet HeaderSizes(const Connection& connection, PacketKind kind) {
  constexpr unsigned kPlain = 20;
  constexpr unsigned kWithTimestamps = 32;
  constexpr unsigned kLongest = 60;
  if (kind == PacketKind::kSyn || kind == PacketKind::kPeerSyn) {
    return IntervalSet::Between(kPlain, kLongest);
  }
  if (const auto& timestamps = connection.local_socket.timestamps) {
    const unsigned size = *timestamps ? kWithTimestamps : kPlain;
    return IntervalSet::Between(size, size);
  }
  return connection.general ? IntervalSet::Union({{kPlain, kPlain}, {kWithTimestamps, kWithTimestamps}})
                            : IntervalSet::Between(kPlain, kLongest);
}

// `sizes` with `by` more bytes each.
IntervalSet Moved(const IntervalSet& sizes, unsigned by) {
  std::vector<IntervalSet::Interval> moved;
  for (const IntervalSet::Interval& each : sizes.Intervals()) {
    moved.push_back({each.first + by, each.last + by});
  }
  return IntervalSet::Union(std::move(moved));
}

// Writes a length that is known; else `field` stands there and has the values of `lengths`.
void PutLength(std::span<AbstractByte> place, const IntervalSet& lengths, Packet& packet) {
  const auto& all = lengths.Intervals();
  if (all.size() == 1 && all.front().first == all.front().last) {
    place[0] = AbstractByte::Known(static_cast<std::uint8_t>(all.front().first >> 8));
    place[1] = AbstractByte::Known(static_cast<std::uint8_t>(all.front().first));
    return;
  }
  PutField(place, Field::kIpLength);
  packet.Restrict(Field::kIpLength, lengths);
}

// The IP header: no options, no extension headers, no fragment. `segments` are the sizes of its TCP segment, header
// included.
void PutNetworkHeader(Packet& packet, const Connection& connection, bool outgoing, const SocketFacts& sender,
                      const IntervalSet& segments) {
  const std::span<AbstractByte> header(packet.network);
  const std::optional<Endpoint>& source = outgoing ? connection.local : connection.peer;
  const std::optional<Endpoint>& destination = outgoing ? connection.peer : connection.local;
  if (packet.family == IpFamily::kIpv4) {
    header[0] = AbstractByte::Known(std::uint8_t{0x45});
    PutField(header.subspan(1, 1), Field::kTypeOfService);
    if (sender.type_of_service) {
      header[1] = AbstractByte::Known(*sender.type_of_service);
    }
    PutLength(header.subspan(2, 2), Moved(segments, 20).Intersection(IntervalSet::Between(0, 0xffff)), packet);
    PutField(header.subspan(4, 2), Field::kIdentification);
    PutField(header.subspan(6, 2), Field::kFragment);
    packet.Restrict(Field::kFragment, IntervalSet::Union({{0, 0}, {0x4000, 0x4000}}));  // only "don't fragment" is open
    PutField(header.subspan(8, 1), Field::kTimeToLive);
    if (sender.time_to_live) {
      header[8] = AbstractByte::Known(*sender.time_to_live);
    }
    header[9] = AbstractByte::Known(std::uint8_t{IPPROTO_TCP});
    PutField(header.subspan(10, 2), Field::kIpChecksum);
    PutAddress(header.subspan(12, 4), source, Field::kSourceAddress, packet);
    PutAddress(header.subspan(16, 4), destination, Field::kDestinationAddress, packet);
    return;
  }
  PutField(header.subspan(0, 4), Field::kFirstWord);
  if (sender.type_of_service) {
    const Wide first = 0x60000000U | (Wide{*sender.type_of_service} << 20);
    packet.Restrict(Field::kFirstWord, IntervalSet::Between(first, first | 0xfffff));
  } else {
    packet.Restrict(Field::kFirstWord, IntervalSet::Between(0x60000000, 0x6fffffff));
  }
  PutLength(header.subspan(4, 2), segments.Intersection(IntervalSet::Between(0, 0xffff)), packet);
  header[6] = AbstractByte::Known(std::uint8_t{IPPROTO_TCP});
  PutField(header.subspan(7, 1), Field::kTimeToLive);
  if (sender.time_to_live) {
    header[7] = AbstractByte::Known(*sender.time_to_live);
  }
  PutAddress(header.subspan(8, 16), source, Field::kSourceAddress, packet);
  PutAddress(header.subspan(24, 16), destination, Field::kDestinationAddress, packet);
}

void PutTransportHeader(Packet& packet, const Connection& connection, PacketKind kind, const IntervalSet& sizes) {
  const bool outgoing = IsOutgoing(kind);
  const std::span<AbstractByte> header(packet.transport);
  PutPort(header.subspan(0, 2), outgoing ? connection.local : connection.peer, Field::kSourcePort, packet);
  PutPort(header.subspan(2, 2), outgoing ? connection.peer : connection.local, Field::kDestinationPort, packet);
  PutField(header.subspan(4, 4), Field::kSequence);
  PutField(header.subspan(8, 4), Field::kAcknowledgement);
  PutField(header.subspan(12, 1), Field::kTcpOffset);
  std::vector<IntervalSet::Interval> offsets;  // in words of 4 bytes, the upper half of its byte
  for (const IntervalSet::Interval& each : sizes.Intervals()) {
    offsets.push_back({each.first / 4 << 4, (each.last / 4 << 4) | 0xf});
  }
  packet.Restrict(Field::kTcpOffset, IntervalSet::Union(std::move(offsets)));
  PutField(header.subspan(14, 2), Field::kWindow);
  PutField(header.subspan(16, 2), Field::kTcpChecksum);
  header[18] = AbstractByte::Known(std::uint8_t{0});
  header[19] = AbstractByte::Known(std::uint8_t{0});
  switch (kind) {
    case PacketKind::kFin:
    case PacketKind::kPeerFin:
      header[kFlags] = AbstractByte::Known(std::uint8_t{kTcpFin | kTcpAck});
      break;
    case PacketKind::kRst:
      header[kFlags] = AbstractByte::Known(std::uint8_t{kTcpRst | kTcpAck});
      break;
    case PacketKind::kData:
      PutField(header.subspan(kFlags, 1), Field::kTcpFlags);
      packet.Restrict(Field::kTcpFlags,
                      IntervalSet::Union({{kTcpAck, kTcpAck}, {kTcpAck | kTcpPush, kTcpAck | kTcpPush}}));
      break;
    case PacketKind::kAck:
      header[kFlags] = AbstractByte::Known(kTcpAck);
      break;
    case PacketKind::kSyn:
    case PacketKind::kPeerSyn:
      header[kFlags] = AbstractByte::Known(kTcpSyn);
      break;
  }
}

}  // namespace

Interface Loopback() { return Interface{"lo", 1, ARPHRD_LOOPBACK, 0, ""}; }

Interface VrfOf(const Interface& port) {
  return port.vrf ? Interface{port.vrf->name, port.vrf->index, ARPHRD_ETHER, port.vrf->group, "vrf"} : Interface{};
}

Connection RepresentativeFlow(IpFamily family, PathKind path_kind) {
  Connection connection;
  connection.family = family;
  connection.path_kind = path_kind;
  connection.general = true;
  connection.realm = 0;
  connection.local_socket.transparent = connection.peer_socket.transparent = false;
  return connection;
}

bool IsOutgoing(PacketKind kind) {
  return kind == PacketKind::kFin || kind == PacketKind::kRst || kind == PacketKind::kData || kind == PacketKind::kSyn;
}

Connection WithEntry(const Connection& connection, PacketKind kind) {
  Connection met = connection;
  if (!connection.beyond_nat || connection.path_kind == PathKind::kForwarded) {
    return met;
  }
  const Connection::BeyondNat& beyond = *connection.beyond_nat;
  if (!IsOutgoing(kind)) {
    met.path_kind = beyond.peer_is_own ? PathKind::kLoopback : PathKind::kLocal;
    met.egress = beyond.egress;
    met.egress_port = beyond.egress_port;
  } else if (connection.path_kind == PathKind::kLoopback && !beyond.peer_is_own) {
    met.path_kind = PathKind::kLocal;
    met.egress = Loopback();
    met.egress_port.reset();
  }
  return met;
}

Packet MakePacket(const Connection& connection, PacketKind kind) {
  Packet packet;
  packet.family = connection.family;
  packet.general = connection.general;
  const bool outgoing = IsOutgoing(kind);
  const bool loopback = connection.path_kind == PathKind::kLoopback;
  const bool sent_here = connection.path_kind != PathKind::kForwarded && (outgoing || loopback);
  // Of a sender elsewhere nothing is known; its mark and its socket stay there.
  const SocketFacts nobody;
  const SocketFacts& socket = outgoing ? connection.local_socket : connection.peer_socket;
  const SocketFacts& sender = sent_here ? socket : nobody;
  const IntervalSet headers = HeaderSizes(connection, kind);
  // Segments of data grow to what segmentation offload carries.
  const IntervalSet segments =
      kind == PacketKind::kData ? IntervalSet::Between(headers.Intervals().front().first, 0x100000) : headers;
  PutNetworkHeader(packet, connection, outgoing, sender, segments);
  PutTransportHeader(packet, connection, kind, headers);
  packet.Restrict(Field::kPacketLength, Moved(segments, static_cast<unsigned>(packet.NetworkLength())));
  if (packet.general) {
    for (const Field type : {Field::kInType, Field::kOutType}) {
      packet.Restrict(type, IntervalSet::Between(ARPHRD_ETHER, ARPHRD_ETHER));
    }
  }
  const bool far_is_here = connection.path_kind == PathKind::kForwarded
                               ? connection.passage.peer_is_own
                               : connection.path_kind == PathKind::kLoopback && sent_here;
  const AddressKind far = far_is_here ? AddressKind::kLocal : AddressKind::kRemote;
  const AddressKind near = connection.path_kind == PathKind::kForwarded ? AddressKind::kRemote : AddressKind::kLocal;
  packet.source_kind = outgoing ? near : far;
  packet.destination_kind = outgoing ? far : near;
  if (sent_here) {
    packet.mark = sender.mark ? AbstractNumber<4>::Known(*sender.mark) : AbstractNumber<4>::Of(Field::kMark);
    if (sender.priority) {
      packet.priority = AbstractNumber<4>::Known(*sender.priority);
    }
    packet.owner = sender.held ? SocketOwner::kProcess : SocketOwner::kNone;
    if (sender.user) {
      packet.user = AbstractNumber<4>::Known(*sender.user);
    }
    if (sender.group) {
      packet.group = AbstractNumber<4>::Known(*sender.group);
    }
  }
  if (connection.within != nullptr) {
    connection.within->Narrow(packet, outgoing, connection.path_kind);
  }
  return packet;
}

}  // namespace finwait::firewall::packet
