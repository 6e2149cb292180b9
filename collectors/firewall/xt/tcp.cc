// -m tcp: ports, flags and options.
#include <linux/netfilter/xt_tcpudp.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"
#include "collectors/firewall/xt/tcp_options.h"

namespace finwait::firewall::xt {
namespace tcp {
namespace {

Conditions Meaning(const xt_tcp& info, const Packet& packet, const HookContext&) {
  const auto inverted = [&](std::uint8_t flag) { return (info.invflags & flag) != 0; };
  Conditions conditions;
  conditions.push_back(
      PortIn(packet.SourcePort(), info.spts[0], info.spts[1], packet.family).Invert(inverted(XT_TCP_INV_SRCPT)));
  conditions.push_back(
      PortIn(packet.DestinationPort(), info.dpts[0], info.dpts[1], packet.family).Invert(inverted(XT_TCP_INV_DSTPT)));
  conditions.push_back(
      ByteIs(packet.TcpFlags(), info.flg_mask, info.flg_cmp, packet.family).Invert(inverted(XT_TCP_INV_FLAGS)));
  if (info.option != 0) {
    conditions.push_back(
        Condition::Of(HasTcpOption(packet, info.option), "a TCP option").Invert(inverted(XT_TCP_INV_OPTION)));
  }
  return conditions;
}

OptionText Text(const xt_tcp& info) {
  const auto inverted = [&](std::uint8_t flag) { return (info.invflags & flag) != 0; };
  std::string text = PortOption(" --sport ", info.spts, inverted(XT_TCP_INV_SRCPT)) +
                     PortOption(" --dport ", info.dpts, inverted(XT_TCP_INV_DSTPT));
  if (info.option != 0 || inverted(XT_TCP_INV_OPTION)) {
    text += Inversion(inverted(XT_TCP_INV_OPTION)) + " --tcp-option " + std::to_string(info.option);
  }
  if (info.flg_mask != 0 || inverted(XT_TCP_INV_FLAGS)) {
    text += Inversion(inverted(XT_TCP_INV_FLAGS)) + " --tcp-flags " + TcpFlagsText(info.flg_mask) + " " +
            TcpFlagsText(info.flg_cmp);
  }
  return text;
}

constexpr Match kMatches[] = {{.name = "tcp",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_tcp, Meaning>,
                               .text = kMatchTextOf<xt_tcp, Text>}};

}  // namespace
}  // namespace tcp

Family families::Tcp() { return {.matches = tcp::kMatches}; }

}  // namespace finwait::firewall::xt
