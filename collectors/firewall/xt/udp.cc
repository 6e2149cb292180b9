// -m udp and -m udplite. No TCP packet is one.
#include <linux/netfilter/xt_tcpudp.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace udp {
namespace {

OptionText Text(const xt_udp& info) {
  return PortOption(" --sport ", info.spts, (info.invflags & XT_UDP_INV_SRCPT) != 0) +
         PortOption(" --dport ", info.dpts, (info.invflags & XT_UDP_INV_DSTPT) != 0);
}

constexpr Match kMatches[] = {
    {.name = "udp", .revisions = {0, 0}, .traits = {}, .conditions = Never, .text = kMatchTextOf<xt_udp, Text>},
    {.name = "udplite", .revisions = {0, 0}, .traits = {}, .conditions = Never},
};

}  // namespace
}  // namespace udp

Family families::Udp() { return {.matches = udp::kMatches}; }

}  // namespace finwait::firewall::xt
