#include <linux/if_packet.h>
#include <linux/netfilter/xt_pkttype.h>

#include <iterator>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace pkttype {
namespace {

Conditions Meaning(const xt_pkttype_info& info, const Packet&, const HookContext& context) {
  const int type = context.IsForOtherHost() ? PACKET_OTHERHOST : PACKET_HOST;
  return {Condition::Of(info.pkttype == type).Invert(info.invert != 0)};
}

std::optional<OptionText> Text(const XtMatch& match, bool) {
  static constexpr const char* kTypes[] = {"unicast", "broadcast", "multicast"};
  const auto info = ReadAs<xt_pkttype_info>(match.info);
  if (!info || info->pkttype < 0 || info->pkttype >= static_cast<int>(std::size(kTypes))) {
    return std::nullopt;
  }
  return Inversion(info->invert != 0) + " --pkt-type " + kTypes[info->pkttype];
}

constexpr Match kMatches[] = {{.name = "pkttype",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_pkttype_info, Meaning>,
                               .text = Text}};

}  // namespace
}  // namespace pkttype

Family families::Pkttype() { return {.matches = pkttype::kMatches}; }

}  // namespace finwait::firewall::xt
