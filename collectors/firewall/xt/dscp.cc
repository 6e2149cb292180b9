// Type of service, DSCP and ECN: -m dscp, -m tos, -m ecn and the targets that write them.
#include <linux/netfilter/xt_DSCP.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_ecn.h>
#include <linux/netfilter_ipv4/ipt_ECN.h>

#include <utility>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace dscp {
namespace {

Conditions DscpConditions(const xt_dscp_info& info, const Packet& packet, const HookContext&) {
  return {TypeOfServiceIs(packet, 0xfc, static_cast<std::uint8_t>(info.dscp << 2)).Invert(info.invert != 0)};
}

OptionText DscpText(const xt_dscp_info& info) {
  const auto value = static_cast<std::byte>(info.dscp);
  return Inversion(info.invert != 0) + " --dscp " + HexBytesText(BytesOf(value));
}

Conditions TosConditions(const xt_tos_match_info& info, const Packet& packet, const HookContext&) {
  return {TypeOfServiceIs(packet, info.tos_mask, info.tos_value).Invert(info.invert != 0)};
}

Conditions EcnConditions(const xt_ecn_info& info, const Packet& packet, const HookContext&) {
  Conditions conditions;
  if ((info.operation & XT_ECN_OP_MATCH_IP) != 0) {
    conditions.push_back(TypeOfServiceIs(packet, static_cast<std::uint8_t>(XT_ECN_IP_MASK), info.ip_ect)
                             .Invert((info.invert & XT_ECN_OP_MATCH_IP) != 0));
  }
  constexpr std::pair<unsigned, std::uint8_t> kTcpFlags[] = {{XT_ECN_OP_MATCH_ECE, 0x40}, {XT_ECN_OP_MATCH_CWR, 0x80}};
  for (const auto& [operation, flag] : kTcpFlags) {
    if ((info.operation & operation) != 0) {
      conditions.push_back(ByteIs(packet.TcpFlags(), flag, flag, packet.family).Invert((info.invert & operation) != 0));
    }
  }
  return conditions;
}

// A target of a form that this version does not know may have written anything.
void MakeUnknown(Packet& packet) {
  packet.network[1] = AbstractByte::Unknown();
  if (packet.family == IpFamily::kIpv6) {
    packet.network[0] = AbstractByte::Unknown();
  }
}

// dscp_tg(): ECN stays.
Effect SetDscp(const XtTarget& target, Packet& packet, const HookContext&) {
  if (const auto info = ReadAs<xt_DSCP_info>(target.info); info && target.revision == 0) {
    MarkTypeOfService(packet, XT_DSCP_MASK, static_cast<std::uint8_t>(info->dscp << XT_DSCP_SHIFT));
  } else {
    MakeUnknown(packet);
  }
  return {};
}

// tos_tg().
Effect SetTos(const XtTarget& target, Packet& packet, const HookContext&) {
  if (const auto info = ReadAs<xt_tos_target_info>(target.info); info && target.revision == 1) {
    MarkTypeOfService(packet, info->tos_mask, info->tos_value);
  } else {
    MakeUnknown(packet);
  }
  return {};
}

// set_ect_ip() and set_ect_tcp(); the target is of IPv4 only.
Effect SetEcn(const XtTarget& target, Packet& packet, const HookContext&) {
  const auto info = ReadAs<ipt_ECN_info>(target.info);
  if (!info || target.revision != 0) {
    MakeUnknown(packet);
    packet.TcpFlags() = AbstractByte::Unknown();
    return {};
  }
  if ((info->operation & IPT_ECN_OP_SET_IP) != 0) {
    constexpr auto kMask = static_cast<std::uint8_t>(IPT_ECN_IP_MASK);
    MarkTypeOfService(packet, kMask, info->ip_ect & kMask);
  }
  constexpr std::uint8_t kEce = 0x40;
  constexpr std::uint8_t kCwr = 0x80;
  if ((info->operation & IPT_ECN_OP_SET_ECE) != 0) {
    packet.TcpFlags() = Marked(packet.TcpFlags(), kEce, info->proto.tcp.ece != 0 ? kEce : 0);
  }
  if ((info->operation & IPT_ECN_OP_SET_CWR) != 0) {
    packet.TcpFlags() = Marked(packet.TcpFlags(), kCwr, info->proto.tcp.cwr != 0 ? kCwr : 0);
  }
  return {};
}

constexpr Match kMatches[] = {
    {.name = "dscp",
     .revisions = {0, 0},
     .traits = {},
     .conditions = kConditionsOf<xt_dscp_info, DscpConditions>,
     .text = kMatchTextOf<xt_dscp_info, DscpText>},
    {.name = "ecn", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<xt_ecn_info, EcnConditions>},
    {.name = "tos", .revisions = {1, 1}, .traits = {}, .conditions = kConditionsOf<xt_tos_match_info, TosConditions>},
};

constexpr Target kTargets[] = {
    {.name = "DSCP", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = SetDscp},
    {.name = "ECN", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = SetEcn},
    {.name = "TOS", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = SetTos},
};

}  // namespace
}  // namespace dscp

Family families::Dscp() { return {.matches = dscp::kMatches, .targets = dscp::kTargets}; }

}  // namespace finwait::firewall::xt
