// What ebtables-nft still writes as extensions: its matches ip and mark, and the targets that only log. They meet
// packets at a bridge's hooks alone.
#include <linux/netfilter_bridge/ebt_ip.h>
#include <linux/netfilter_bridge/ebt_mark_m.h>
#include <netinet/in.h>

#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace ebtables {
namespace {

// (address & mask) == value, all in network order.
Condition AddressIs(AbstractBytes address, std::uint32_t mask, std::uint32_t value, IpFamily family) {
  return Condition::Equal(address, BytesOf(value), family, BytesOf(mask));
}

// ebt_filter_ip(). All numbers of ports and addresses but the ports' are in network order.
Conditions IpMeaning(const ebt_ip_info& info, const Packet& packet, const HookContext&) {
  const auto asks = [&](unsigned bit) { return (info.bitmask & bit) != 0; };
  const auto inverted = [&](unsigned bit) { return (info.invflags & bit) != 0; };
  Conditions conditions;
  conditions.push_back(Condition::Of(TristateOf(packet.family == IpFamily::kIpv4), {}));
  if (packet.family != IpFamily::kIpv4) {
    return conditions;
  }
  if (asks(EBT_IP_TOS)) {
    conditions.push_back(TypeOfServiceIs(packet, 0xff, info.tos).Invert(inverted(EBT_IP_TOS)));
  }
  if (asks(EBT_IP_SOURCE)) {
    conditions.push_back(
        AddressIs(packet.SourceAddress(), info.smsk, info.saddr, packet.family).Invert(inverted(EBT_IP_SOURCE)));
  }
  if (asks(EBT_IP_DEST)) {
    conditions.push_back(
        AddressIs(packet.DestinationAddress(), info.dmsk, info.daddr, packet.family).Invert(inverted(EBT_IP_DEST)));
  }
  if (asks(EBT_IP_PROTO)) {
    const bool tcp = (info.protocol == IPPROTO_TCP) != inverted(EBT_IP_PROTO);
    conditions.push_back(Condition::Of(TristateOf(tcp), {}));
  }
  if (asks(EBT_IP_SPORT)) {
    conditions.push_back(
        PortIn(packet.SourcePort(), info.sport[0], info.sport[1], packet.family).Invert(inverted(EBT_IP_SPORT)));
  }
  if (asks(EBT_IP_DPORT)) {
    conditions.push_back(
        PortIn(packet.DestinationPort(), info.dport[0], info.dport[1], packet.family).Invert(inverted(EBT_IP_DPORT)));
  }
  return conditions;
}

// ebt_mark_mt(): with EBT_MARK_OR any bit of the mask will do.
Conditions MarkMeaning(const ebt_mark_m_info& info, const Packet& packet, const HookContext&) {
  const auto mask = static_cast<std::uint32_t>(info.mask);
  if ((info.bitmask & EBT_MARK_OR) != 0) {
    return {NumberIs(packet.mark, mask, 0, packet.family).Invert(info.invert == 0)};
  }
  return {NumberIs(packet.mark, mask, static_cast<std::uint32_t>(info.mark), packet.family).Invert(info.invert != 0)};
}

constexpr Match kMatches[] = {
    {.name = "ip", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<ebt_ip_info, IpMeaning>},
    {.name = "mark_m", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<ebt_mark_m_info, MarkMeaning>},
};

constexpr Target kTargets[] = {
    {.name = "log", .revisions = kAnyRevision, .traits = {}},
    {.name = "nflog", .revisions = kAnyRevision, .traits = {}},
};

}  // namespace
}  // namespace ebtables

Family families::Ebtables() { return {.matches = ebtables::kMatches, .targets = ebtables::kTargets}; }

}  // namespace finwait::firewall::xt
