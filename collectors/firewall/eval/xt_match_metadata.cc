// Matches that look at what surrounds the packet: marks, sockets, devices, kinds of addresses.
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_devgroup.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_socket.h>
#include <linux/rtnetlink.h>

#include <array>

#include "collectors/firewall/eval/xt_match.h"

namespace finwait::firewall::eval {
namespace {

std::array<std::byte, 4> BigEndian(std::uint32_t number) {
  return {std::byte(number >> 24), std::byte(number >> 16 & 0xff), std::byte(number >> 8 & 0xff),
          std::byte(number & 0xff)};
}

Condition NumberIs(const AbstractNumber<4>& number, std::uint32_t mask, std::uint32_t value, IpFamily family) {
  return Condition::Equal(number.bytes, BigEndian(value), family, BigEndian(mask));
}

Conditions Mark(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_mark_mtinfo1 info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  return {NumberIs(packet.mark, info.mask, info.mark, packet.family).Invert(info.invert != 0)};
}

Conditions Always(const XtMatch&, const Packet&, const HookContext&) { return {}; }

// owner_mt(): without a socket that a process holds it matches when everything asked for is inverted.
Conditions Owner(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_owner_match_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const bool without = (info.match ^ info.invert) == 0;
  if (packet.owner == SocketOwner::kNone) {
    return {Condition::Of(without)};
  }
  constexpr std::string_view kOwner = "the process that holds the socket";
  if (packet.owner == SocketOwner::kUnknown || (info.match & XT_OWNER_SUPPL_GROUPS) != 0) {
    return {Condition::Of(Tristate::kUnknown, kOwner)};
  }
  Conditions conditions;
  if ((info.match & info.invert & XT_OWNER_SOCKET) != 0) {
    conditions.push_back(Condition::Of(false));
  }
  if ((info.match & XT_OWNER_UID) != 0) {
    conditions.push_back(
        Condition::In(packet.user.bytes, IntervalSet::Between(info.uid_min, info.uid_max), packet.family)
            .Invert((info.invert & XT_OWNER_UID) != 0));
  }
  if ((info.match & XT_OWNER_GID) != 0) {
    conditions.push_back(
        Condition::In(packet.group.bytes, IntervalSet::Between(info.gid_min, info.gid_max), packet.family)
            .Invert((info.invert & XT_OWNER_GID) != 0));
  }
  return conditions;
}

constexpr std::string_view kAddressType = "what routing says of an address";

// inet_dev_addr_type(): local and broadcast addresses are in the local table, all others are unicast or multicast.
Tristate Ipv4TypeIs(AddressKind kind, unsigned mask, bool on_one_device) {
  switch (kind) {
    case AddressKind::kRemote:
      return TristateOf((mask & (1U << RTN_UNICAST)) != 0);
    case AddressKind::kLocal:
      if (on_one_device) {  // a local address of another device counts as unicast
        const bool local = (mask & (1U << RTN_LOCAL)) != 0;
        return local == ((mask & (1U << RTN_UNICAST)) != 0) ? TristateOf(local) : Tristate::kUnknown;
      }
      return TristateOf((mask & (1U << RTN_LOCAL)) != 0);
    case AddressKind::kUnknown:
      return Tristate::kUnknown;
  }
  return Tristate::kUnknown;
}

// match_type6(): unicast, multicast and unspecified must hold where asked for; then one of the types that routing knows
// must hold, where any is asked for.
Tristate Ipv6TypeIs(AddressKind kind, unsigned mask, bool on_one_device) {
  if ((mask & (XT_ADDRTYPE_MULTICAST | XT_ADDRTYPE_UNSPEC)) != 0) {
    return Tristate::kNo;  // a connection's addresses are neither
  }
  if ((mask & (XT_ADDRTYPE_LOCAL | XT_ADDRTYPE_ANYCAST | XT_ADDRTYPE_UNREACHABLE)) == 0) {
    return Tristate::kYes;
  }
  const bool local_asked = (mask & XT_ADDRTYPE_LOCAL) != 0;
  const bool others_asked = (mask & (XT_ADDRTYPE_ANYCAST | XT_ADDRTYPE_UNREACHABLE)) != 0;
  if (kind == AddressKind::kUnknown || (kind == AddressKind::kLocal && on_one_device)) {
    return Tristate::kUnknown;
  }
  if (kind == AddressKind::kLocal && local_asked) {
    return Tristate::kYes;
  }
  return others_asked ? Tristate::kUnknown : Tristate::kNo;
}

Conditions AddressTypeOf(unsigned source, bool source_inverted, unsigned destination, bool destination_inverted,
                         bool on_one_device, const Packet& packet) {
  const auto type_is = packet.family == IpFamily::kIpv4 ? Ipv4TypeIs : Ipv6TypeIs;
  Conditions conditions;
  if (source != 0) {
    conditions.push_back(
        Condition::Of(type_is(packet.source_kind, source, on_one_device), kAddressType).Invert(source_inverted));
  }
  if (destination != 0) {
    conditions.push_back(Condition::Of(type_is(packet.destination_kind, destination, on_one_device), kAddressType)
                             .Invert(destination_inverted));
  }
  return conditions;
}

Conditions AddressType(const XtMatch& match, const Packet& packet, const HookContext&) {
  if (match.revision == 0) {
    xt_addrtype_info info;
    if (!ReadInfo(match.info, &info)) {
      return Unreadable();
    }
    return AddressTypeOf(info.source, info.invert_source != 0, info.dest, info.invert_dest != 0, false, packet);
  }
  xt_addrtype_info_v1 info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const bool limited = (info.flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT)) != 0;
  return AddressTypeOf(info.source, (info.flags & XT_ADDRTYPE_INVERT_SOURCE) != 0, info.dest,
                       (info.flags & XT_ADDRTYPE_INVERT_DEST) != 0, limited, packet);
}

// Without a bridge in the packet's past it matches when everything asked for is inverted. A packet of our own has not
// seen one yet.
Conditions BridgePort(const XtMatch& match, const Packet&, const HookContext& context) {
  xt_physdev_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const bool fresh = context.journey == PathKind::kLoopback || context.hook == Hook::kOutput ||
                     (context.journey == PathKind::kLocal && context.hook == Hook::kPostrouting);
  // "Bridged" is what a bridge forwards from port to port. Our packets are sent, received or routed here, whatever
  // port of a bridge they came in through.
  const bool only_bridged = info.bitmask == XT_PHYSDEV_OP_BRIDGED;
  if (!fresh && !only_bridged) {
    return {Condition::Of(Tristate::kUnknown, "whether a bridge port received the packet")};
  }
  return {Condition::Of((info.bitmask & ~info.invert) == 0)};
}

// A connection's packet finds its socket here, bound to an address as connected ones are. Whether that is a transparent
// proxy's is not known.
Conditions Socket(const XtMatch& match, const Packet&, const HookContext& context) {
  xt_socket_mtinfo1 info = {};
  if (match.revision > 0 && !ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const bool certain =
      context.journey != PathKind::kForwarded && (info.flags & (XT_SOCKET_TRANSPARENT | XT_SOCKET_RESTORESKMARK)) == 0;
  return {Condition::Of(certain ? Tristate::kYes : Tristate::kUnknown, "what socket receives the packet")};
}

Conditions PacketType(const XtMatch& match, const Packet&, const HookContext&) {
  xt_pkttype_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  return {Condition::Of(info.pkttype == PACKET_HOST).Invert(info.invert != 0)};
}

// Packets that came in over an Ethernet device have a source address that nobody here knows.
Conditions LinkAddress(const XtMatch& match, const Packet& packet, const HookContext& context) {
  xt_mac_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  if (!context.has_link_header || !context.in.present) {
    return {Condition::Of(false)};  // inverted or not, as for a device that is not Ethernet
  }
  return {Condition::In(context.in.type.bytes, IntervalSet::Between(ARPHRD_ETHER, ARPHRD_ETHER), packet.family),
          Condition::Equal(AbstractNumber<6>::Of(Field::kSourceMac).bytes, std::as_bytes(std::span(info.srcaddr)),
                           packet.family)
              .Invert(info.invert != 0)};
}

Conditions DeviceGroup(const XtMatch& match, const Packet& packet, const HookContext& context) {
  xt_devgroup_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  Conditions conditions;
  if ((info.flags & XT_DEVGROUP_MATCH_SRC) != 0) {
    conditions.push_back(NumberIs(context.in.group, info.src_mask, info.src_group & info.src_mask, packet.family)
                             .Invert((info.flags & XT_DEVGROUP_INVERT_SRC) != 0));
  }
  if ((info.flags & XT_DEVGROUP_MATCH_DST) != 0) {
    conditions.push_back(NumberIs(context.out.group, info.dst_mask, info.dst_group & info.dst_mask, packet.family)
                             .Invert((info.flags & XT_DEVGROUP_INVERT_DST) != 0));
  }
  return conditions;
}

Conditions ReversePath(const XtMatch& match, const Packet&, const HookContext& context) {
  xt_rpfilter_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const bool inverted = (info.flags & XT_RPFILTER_INVERT) != 0;
  if (context.journey == PathKind::kLoopback) {
    return {Condition::Of(true).Invert(inverted)};
  }
  Tristate passes = context.source_routes_to_input;
  if (passes == Tristate::kNo && (info.flags & XT_RPFILTER_LOOSE) != 0) {
    passes = Tristate::kYes;
  }
  if ((info.flags & XT_RPFILTER_VALID_MARK) != 0) {
    passes = Tristate::kUnknown;
  }
  return {Condition::Of(passes, "the route back to the source").Invert(inverted)};
}

constexpr XtMatchHandler kHandlers[] = {
    {"addrtype", 0, 1, AddressType}, {"comment", 0, 0, Always},     {"devgroup", 0, 0, DeviceGroup},
    {"mac", 0, 0, LinkAddress},      {"mark", 1, 1, Mark},          {"owner", 1, 1, Owner},
    {"physdev", 0, 0, BridgePort},   {"pkttype", 0, 0, PacketType}, {"rpfilter", 0, 0, ReversePath},
    {"socket", 0, 3, Socket},
};

}  // namespace

const XtMatchHandler* FindMetadataMatch(const XtMatch& match) { return FindIn(kHandlers, match); }

}  // namespace finwait::firewall::eval
