// -m mac: the Ethernet address that a packet which came in was sent from, known of neighbours.
#include <linux/if_arp.h>
#include <linux/netfilter/xt_mac.h>

#include <array>
#include <cstdio>

#include "collectors/firewall/xt/neighbour_address.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace mac {
namespace {

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts) {
  const auto info = Decode<xt_mac_info>(match);
  if (!info) {
    return Unreadable();
  }
  if (!context.has_link_header || !context.in.present) {
    return {Condition::Of(false)};  // inverted or not, as for a device that is not Ethernet
  }
  return {Condition::In(context.in.type.bytes, IntervalSet::Between(ARPHRD_ETHER, ARPHRD_ETHER), packet.family),
          Condition::Equal(SourceHardwareAddress(packet, context, facts).bytes, std::as_bytes(std::span(info->srcaddr)),
                           packet.family)
              .Invert(info->invert != 0)};
}

OptionText Text(const xt_mac_info& info) {
  std::array<char, 18> text = {};
  const unsigned char* address = info.srcaddr;
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", address[0], address[1], address[2],
                address[3], address[4], address[5]);
  return Inversion(info.invert != 0) + " --mac-source " + text.data();
}

constexpr Match kMatches[] = {
    {.name = "mac", .revisions = {0, 0}, .traits = {}, .conditions = Meaning, .text = kMatchTextOf<xt_mac_info, Text>}};

}  // namespace
}  // namespace mac

Family families::Mac() { return {.matches = mac::kMatches}; }

}  // namespace finwait::firewall::xt
