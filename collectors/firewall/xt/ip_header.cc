#include "collectors/firewall/xt/ip_header.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <array>

#include "collectors/firewall/xt/packet_fields.h"

namespace finwait::firewall::xt {

Conditions ConditionsOf(const IpHeaderMatch& match, const Packet& packet, const HookContext& context) {
  const auto inverted = [&](unsigned flag) { return (match.inverse_flags & flag) != 0; };
  const auto masked = [&](AbstractBytes actual, const IpHeaderMatch::Address& address,
                          const IpHeaderMatch::Address& mask) {
    return Condition::Equal(actual, std::span(address).first(actual.size()), packet.family,
                            std::span(mask).first(actual.size()));
  };
  const auto device = [&](const packet::DeviceView& view, const IpHeaderMatch::Interface& wanted) {
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
      conditions.push_back(TypeOfServiceIs(packet, 0xff, match.type_of_service).Invert(inverted(IP6T_INV_TOS)));
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

}  // namespace finwait::firewall::xt
