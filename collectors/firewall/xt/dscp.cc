// Type of service, DSCP and ECN: -m dscp, -m tos, -m ecn and the targets that write them.
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_ecn.h>

#include <utility>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
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

// Whatever the field is set to, what it was is no longer known.
Effect Rewrite(const XtTarget&, Packet& packet, const HookContext&) {
  if (packet.family == IpFamily::kIpv4) {
    packet.network[1] = AbstractByte::Unknown();
  } else {
    packet.network[0] = AbstractByte::Unknown();
    packet.network[1] = AbstractByte::Unknown();
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
    {.name = "DSCP", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Rewrite},
    {.name = "ECN", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Rewrite},
    {.name = "TOS", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Rewrite},
};

}  // namespace

Family families::Dscp() { return {.matches = kMatches, .targets = kTargets}; }

}  // namespace finwait::firewall::xt
