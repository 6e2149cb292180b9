// Matches that look at the packet's headers: addresses, ports, flags, lengths. All of them know that the packet is TCP
// without IP options or extension headers, and no fragment.
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_ecn.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpmss.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv4/ipt_ttl.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netfilter_ipv6/ip6t_hl.h>
#include <linux/netfilter_ipv6/ip6t_ipv6header.h>

#include <algorithm>
#include <array>
#include <utility>

#include "collectors/firewall/eval/xt_match.h"

namespace finwait::firewall::eval {
namespace {

Condition PortIn(AbstractBytes port, std::uint16_t from, std::uint16_t to, IpFamily family) {
  return Condition::In(port, IntervalSet::Between(from, to), family);
}

Condition ByteIs(const AbstractByte& byte, std::uint8_t mask, std::uint8_t value, IpFamily family) {
  const std::byte expected[] = {std::byte{value}};
  const std::byte masks[] = {std::byte{mask}};
  return Condition::Equal(AbstractBytes(&byte, 1), expected, family, masks);
}

// Options that only a SYN carries; other ones may be there or not.
Tristate HasTcpOption(std::uint8_t option) {
  constexpr std::uint8_t kMaximumSegmentSize = 2;
  constexpr std::uint8_t kWindowScale = 3;
  constexpr std::uint8_t kSackPermitted = 4;
  return option == kMaximumSegmentSize || option == kWindowScale || option == kSackPermitted ? Tristate::kNo
                                                                                             : Tristate::kUnknown;
}

Conditions Tcp(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_tcp info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const auto inverted = [&](std::uint8_t flag) { return (info.invflags & flag) != 0; };
  Conditions conditions;
  conditions.push_back(
      PortIn(packet.SourcePort(), info.spts[0], info.spts[1], packet.family).Invert(inverted(XT_TCP_INV_SRCPT)));
  conditions.push_back(
      PortIn(packet.DestinationPort(), info.dpts[0], info.dpts[1], packet.family).Invert(inverted(XT_TCP_INV_DSTPT)));
  conditions.push_back(
      ByteIs(packet.TcpFlags(), info.flg_mask, info.flg_cmp, packet.family).Invert(inverted(XT_TCP_INV_FLAGS)));
  if (info.option != 0) {
    conditions.push_back(Condition::Of(HasTcpOption(info.option), "a TCP option").Invert(inverted(XT_TCP_INV_OPTION)));
  }
  return conditions;
}

Conditions OtherProtocol(const XtMatch&, const Packet&, const HookContext&) { return {Condition::Of(false)}; }

Conditions Multiport(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_multiport_v1 info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  std::vector<IntervalSet::Interval> ranges;
  for (unsigned i = 0; i < std::min<unsigned>(info.count, XT_MULTI_PORTS); ++i) {
    const std::uint16_t from = info.ports[i];
    const bool range = info.pflags[i] != 0 && i + 1 < XT_MULTI_PORTS;
    const std::uint16_t to = range ? info.ports[++i] : from;
    ranges.push_back({from, to});
  }
  const IntervalSet ports = IntervalSet::Union(std::move(ranges));
  const Condition source = Condition::In(packet.SourcePort(), ports, packet.family);
  const Condition destination = Condition::In(packet.DestinationPort(), ports, packet.family);
  Condition condition = info.flags == XT_MULTIPORT_SOURCE ? source
                        : info.flags == XT_MULTIPORT_DESTINATION
                            ? destination
                            : Condition::Either(source, destination, packet.family);
  return {condition.Invert(info.invert != 0)};
}

Conditions IpRange(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_iprange_mtinfo info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const auto between = [&](AbstractBytes address, const nf_inet_addr& from, const nf_inet_addr& to) {
    return Condition::Between(address, BytesOf(from).first(address.size()), BytesOf(to).first(address.size()),
                              packet.family);
  };
  Conditions conditions;
  if ((info.flags & IPRANGE_SRC) != 0) {
    conditions.push_back(
        between(packet.SourceAddress(), info.src_min, info.src_max).Invert((info.flags & IPRANGE_SRC_INV) != 0));
  }
  if ((info.flags & IPRANGE_DST) != 0) {
    conditions.push_back(
        between(packet.DestinationAddress(), info.dst_min, info.dst_max).Invert((info.flags & IPRANGE_DST_INV) != 0));
  }
  return conditions;
}

// IPv4 total length or, as the kernel computes it, IPv6 payload length plus the fixed header.
Conditions Length(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_length_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const unsigned header = packet.family == IpFamily::kIpv4 ? 0 : 40;
  const AbstractBytes length = AbstractBytes(packet.network).subspan(packet.family == IpFamily::kIpv4 ? 2 : 4, 2);
  const Wide from = info.min > header ? info.min - header : 0;
  Condition condition = info.max < header
                            ? Condition::Of(false)
                            : Condition::In(length, IntervalSet::Between(from, info.max - header), packet.family);
  return {condition.Invert(info.invert != 0)};
}

Conditions TcpMss(const XtMatch& match, const Packet&, const HookContext&) {
  xt_tcpmss_match_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  return {Condition::Of(false).Invert(info.invert != 0)};  // only a SYN carries the option
}

Conditions TypeOfService(const Packet& packet, std::uint8_t mask, std::uint8_t value, bool inverted) {
  if (packet.family == IpFamily::kIpv4) {
    return {ByteIs(packet.network[1], mask, value, packet.family).Invert(inverted)};
  }
  // The traffic class lies across the first two bytes of the IPv6 header.
  const std::byte masks[] = {std::byte(mask >> 4), std::byte(static_cast<std::uint8_t>(mask << 4))};
  const std::byte values[] = {std::byte(value >> 4), std::byte(static_cast<std::uint8_t>(value << 4))};
  return {Condition::Equal(AbstractBytes(packet.network).first(2), values, packet.family, masks).Invert(inverted)};
}

Conditions Dscp(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_dscp_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  return TypeOfService(packet, 0xfc, static_cast<std::uint8_t>(info.dscp << 2), info.invert != 0);
}

Conditions Tos(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_tos_match_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  return TypeOfService(packet, info.tos_mask, info.tos_value, info.invert != 0);
}

Conditions ExplicitCongestion(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_ecn_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  Conditions conditions;
  if ((info.operation & XT_ECN_OP_MATCH_IP) != 0) {
    conditions = TypeOfService(packet, static_cast<std::uint8_t>(XT_ECN_IP_MASK), info.ip_ect,
                               (info.invert & XT_ECN_OP_MATCH_IP) != 0);
  }
  constexpr std::pair<unsigned, std::uint8_t> kTcpFlags[] = {{XT_ECN_OP_MATCH_ECE, 0x40}, {XT_ECN_OP_MATCH_CWR, 0x80}};
  for (const auto& [operation, flag] : kTcpFlags) {
    if ((info.operation & operation) != 0) {
      conditions.push_back(ByteIs(packet.TcpFlags(), flag, flag, packet.family).Invert((info.invert & operation) != 0));
    }
  }
  return conditions;
}

// The packet has no extension header, only what follows them.
Conditions Ipv6Header(const XtMatch& match, const Packet&, const HookContext&) {
  ip6t_ipv6header_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  constexpr unsigned kHeaders = MASK_PROTO;
  if (info.modeflag != 0) {
    return {Condition::Of(((kHeaders ^ info.matchflags ^ info.invflags) & info.matchflags) == 0)};
  }
  return {Condition::Of((info.matchflags == kHeaders) != (info.invflags != 0))};
}

// ipt_ttl_info and ip6t_hl_info are alike: a mode and a value.
Conditions HopLimit(const XtMatch& match, const Packet& packet, const HookContext&) {
  static_assert(sizeof(ipt_ttl_info) == sizeof(ip6t_hl_info) && int{IPT_TTL_GT} == int{IP6T_HL_GT} &&
                int{IPT_TTL_LT} == int{IP6T_HL_LT} && int{IPT_TTL_NE} == int{IP6T_HL_NE});
  ipt_ttl_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const AbstractBytes value = AbstractBytes(packet.network).subspan(packet.family == IpFamily::kIpv4 ? 8 : 7, 1);
  const auto in = [&](unsigned from, unsigned to) {
    return Condition::In(value, IntervalSet::Between(from, to), packet.family);
  };
  switch (info.mode) {
    case IPT_TTL_EQ:
      return {in(info.ttl, info.ttl)};
    case IPT_TTL_NE:
      return {in(info.ttl, info.ttl).Invert()};
    case IPT_TTL_LT:
      return {info.ttl == 0 ? Condition::Of(false) : in(0, info.ttl - 1U)};
    case IPT_TTL_GT:
      return {info.ttl == 255 ? Condition::Of(false) : in(info.ttl + 1U, 255)};
    default:
      return {Condition::Of(false)};
  }
}

constexpr XtMatchHandler kHandlers[] = {
    {"tcp", 0, 0, Tcp},
    {"multiport", 1, 1, Multiport},
    {"iprange", 1, 1, IpRange},
    {"length", 0, 0, Length},
    {"tcpmss", 0, 0, TcpMss},
    {"dscp", 0, 0, Dscp},
    {"tos", 1, 1, Tos},
    {"ttl", 0, 0, HopLimit},
    {"hl", 0, 0, HopLimit},
    {"ecn", 0, 0, ExplicitCongestion},
    {"ipv6header", 0, 0, Ipv6Header},
    {"osf", 0, 0, OtherProtocol},  // fingerprints SYN packets only
    // Other protocols than TCP, fragments, extension headers.
    {"udp", 0, 0, OtherProtocol},
    {"udplite", 0, 0, OtherProtocol},
    {"icmp", 0, 0, OtherProtocol},
    {"icmp6", 0, 0, OtherProtocol},
    {"sctp", 0, 0, OtherProtocol},
    {"dccp", 0, 0, OtherProtocol},
    {"esp", 0, 0, OtherProtocol},
    {"ah", 0, 0, OtherProtocol},
    {"ipcomp", 0, 0, OtherProtocol},
    {"l2tp", 0, 0, OtherProtocol},
    {"frag", 0, 0, OtherProtocol},
    {"hbh", 0, 0, OtherProtocol},
    {"dst", 0, 0, OtherProtocol},
    {"mh", 0, 0, OtherProtocol},
    {"rt", 0, 0, OtherProtocol},
    {"srh", 0, 1, OtherProtocol},
};

}  // namespace

const XtMatchHandler* FindHeaderMatch(const XtMatch& match) { return FindIn(kHandlers, match); }

Conditions ConditionsOf(const IpHeaderMatch& match, const Packet& packet, const HookContext& context) {
  const auto inverted = [&](unsigned flag) { return (match.inverse_flags & flag) != 0; };
  const auto masked = [&](AbstractBytes actual, const IpHeaderMatch::Address& address,
                          const IpHeaderMatch::Address& mask) {
    return Condition::Equal(actual, std::span(address).first(actual.size()), packet.family,
                            std::span(mask).first(actual.size()));
  };
  const auto device = [&](const DeviceView& view, const IpHeaderMatch::Interface& wanted) {
    // ifname_compare(): what the name holds behind the mask, the '+' of "eth+", does not matter.
    std::array<std::byte, 16> name;
    for (std::size_t i = 0; i < name.size(); ++i) {
      name[i] = static_cast<std::byte>(wanted.name[i] & wanted.mask[i]);
    }
    return Condition::Equal(view.name.bytes, name, packet.family, std::as_bytes(std::span(wanted.mask)));
  };
  Conditions conditions;
  conditions.push_back(masked(packet.SourceAddress(), match.source, match.source_mask).Invert(inverted(IPT_INV_SRCIP)));
  conditions.push_back(
      masked(packet.DestinationAddress(), match.destination, match.destination_mask).Invert(inverted(IPT_INV_DSTIP)));
  conditions.push_back(device(context.in, match.in).Invert(inverted(IPT_INV_VIA_IN)));
  conditions.push_back(device(context.out, match.out).Invert(inverted(IPT_INV_VIA_OUT)));
  const bool is_tcp = match.protocol == IPPROTO_TCP;
  if (match.ipv6) {
    // ip6_packet_match(): an inverted "all protocols" is still all protocols.
    if ((match.flags & IP6T_F_PROTO) != 0 && (is_tcp || match.protocol != 0)) {
      conditions.push_back(Condition::Of(is_tcp != inverted(IP6T_INV_PROTO)));
    }
    if ((match.flags & IP6T_F_TOS) != 0) {
      conditions.push_back(TypeOfService(packet, 0xff, match.type_of_service, inverted(IP6T_INV_TOS)).front());
    }
    return conditions;
  }
  if (match.protocol != 0) {
    conditions.push_back(Condition::Of(is_tcp != inverted(IPT_INV_PROTO)));
  }
  const bool wants_fragment = (match.flags & IPT_F_FRAG) != 0;
  conditions.push_back(Condition::Of(wants_fragment == inverted(IPT_INV_FRAG)));
  return conditions;
}

}  // namespace finwait::firewall::eval
