// -m addrtype: what routing says of an address.
#include <linux/netfilter/xt_addrtype.h>
#include <linux/rtnetlink.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace addrtype {
namespace {

constexpr std::string_view kAddressType = "what routing says of an address";

// Revision 0 in the form of the first.
std::optional<xt_addrtype_info_v1> DecodeAddrtype(const XtMatch& match) {
  if (match.revision != 0) {
    return ReadAs<xt_addrtype_info_v1>(match.info);
  }
  const auto older = ReadAs<xt_addrtype_info>(match.info);
  if (!older) {
    return std::nullopt;
  }
  xt_addrtype_info_v1 info = {};
  info.source = older->source;
  info.dest = older->dest;
  info.flags = (older->invert_source != 0 ? unsigned{XT_ADDRTYPE_INVERT_SOURCE} : 0U) |
               (older->invert_dest != 0 ? unsigned{XT_ADDRTYPE_INVERT_DEST} : 0U);
  return info;
}

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

Conditions AddrtypeConditions(const xt_addrtype_info_v1& info, const Packet& packet, const HookContext&) {
  const auto type_is = packet.family == IpFamily::kIpv4 ? Ipv4TypeIs : Ipv6TypeIs;
  const bool limited = (info.flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT)) != 0;
  Conditions conditions;
  if (info.source != 0) {
    conditions.push_back(Condition::Of(type_is(packet.source_kind, info.source, limited), kAddressType)
                             .Invert((info.flags & XT_ADDRTYPE_INVERT_SOURCE) != 0));
  }
  if (info.dest != 0) {
    conditions.push_back(Condition::Of(type_is(packet.destination_kind, info.dest, limited), kAddressType)
                             .Invert((info.flags & XT_ADDRTYPE_INVERT_DEST) != 0));
  }
  return conditions;
}

OptionText AddrtypeText(const xt_addrtype_info_v1& info) {
  static constexpr NamedBit kTypes[] = {{XT_ADDRTYPE_UNSPEC, "UNSPEC"},
                                        {XT_ADDRTYPE_UNICAST, "UNICAST"},
                                        {XT_ADDRTYPE_LOCAL, "LOCAL"},
                                        {XT_ADDRTYPE_BROADCAST, "BROADCAST"},
                                        {XT_ADDRTYPE_ANYCAST, "ANYCAST"},
                                        {XT_ADDRTYPE_MULTICAST, "MULTICAST"},
                                        {XT_ADDRTYPE_BLACKHOLE, "BLACKHOLE"},
                                        {XT_ADDRTYPE_UNREACHABLE, "UNREACHABLE"},
                                        {XT_ADDRTYPE_PROHIBIT, "PROHIBIT"},
                                        {XT_ADDRTYPE_THROW, "THROW"},
                                        {XT_ADDRTYPE_NAT, "NAT"},
                                        {XT_ADDRTYPE_XRESOLVE, "XRESOLVE"}};
  std::string text;
  if (info.source != 0) {
    text +=
        Inversion((info.flags & XT_ADDRTYPE_INVERT_SOURCE) != 0) + " --src-type " + BitsText(info.source, kTypes, ",");
  }
  if (info.dest != 0) {
    text += Inversion((info.flags & XT_ADDRTYPE_INVERT_DEST) != 0) + " --dst-type " + BitsText(info.dest, kTypes, ",");
  }
  if ((info.flags & XT_ADDRTYPE_LIMIT_IFACE_IN) != 0) {
    text += " --limit-iface-in";
  }
  if ((info.flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) != 0) {
    text += " --limit-iface-out";
  }
  return text;
}

constexpr Match kMatches[] = {{.name = "addrtype",
                               .revisions = {0, 1},
                               .traits = {},
                               .conditions = ConditionsBy<DecodeAddrtype, AddrtypeConditions>,
                               .text = TextBy<DecodeAddrtype, AddrtypeText>}};

}  // namespace
}  // namespace addrtype

Family families::Addrtype() { return {.matches = addrtype::kMatches}; }

}  // namespace finwait::firewall::xt
