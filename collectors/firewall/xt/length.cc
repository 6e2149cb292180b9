// -m length: IPv4 total length or, as the kernel computes it, IPv6 payload length plus the fixed header.
#include <linux/netfilter/xt_length.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace length {
namespace {

Conditions Meaning(const xt_length_info& info, const Packet& packet, const HookContext&) {
  const unsigned header = packet.family == IpFamily::kIpv4 ? 0 : 40;
  const AbstractBytes length = AbstractBytes(packet.network).subspan(packet.family == IpFamily::kIpv4 ? 2 : 4, 2);
  const packet::Wide from = info.min > header ? info.min - header : 0;
  Condition condition = info.max < header
                            ? Condition::Of(false)
                            : Condition::In(length, IntervalSet::Between(from, info.max - header), packet.family);
  return {condition.Invert(info.invert != 0)};
}

OptionText Text(const xt_length_info& info) {
  return Inversion(info.invert != 0) + " --length " + PortRangeText(info.min, info.max);
}

constexpr Match kMatches[] = {{.name = "length",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_length_info, Meaning>,
                               .text = kMatchTextOf<xt_length_info, Text>}};

}  // namespace
}  // namespace length

Family families::Length() { return {.matches = length::kMatches}; }

}  // namespace finwait::firewall::xt
