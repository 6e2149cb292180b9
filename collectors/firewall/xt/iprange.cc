#include <linux/netfilter/xt_iprange.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace iprange {
namespace {

Conditions Meaning(const xt_iprange_mtinfo& info, const Packet& packet, const HookContext&) {
  const auto between = [&](AbstractBytes address, const nf_inet_addr& from, const nf_inet_addr& to) {
    return Condition::Between(address, BytesOf(from).first(address.size()), BytesOf(to).first(address.size()),
                              packet.family);
  };
  Conditions conditions;
  if ((info.flags & IPRANGE_SRC) != 0) {
    conditions.push_back(
        between(packet.SourceAddress(), info.src_min, info.src_max).Invert((info.flags & IPRANGE_SRC_INV) != 0));
  }
  if ((info.flags & IPRANGE_DST) != 0) {
    conditions.push_back(
        between(packet.DestinationAddress(), info.dst_min, info.dst_max).Invert((info.flags & IPRANGE_DST_INV) != 0));
  }
  return conditions;
}

OptionText Text(const xt_iprange_mtinfo& info, bool ipv6) {
  const auto range = [&](const nf_inet_addr& from, const nf_inet_addr& to) {
    const std::size_t size = ipv6 ? 16 : 4;
    return AddressText(BytesOf(from).first(size)) + "-" + AddressText(BytesOf(to).first(size));
  };
  std::string text;
  if ((info.flags & IPRANGE_SRC) != 0) {
    text += Inversion((info.flags & IPRANGE_SRC_INV) != 0) + " --src-range " + range(info.src_min, info.src_max);
  }
  if ((info.flags & IPRANGE_DST) != 0) {
    text += Inversion((info.flags & IPRANGE_DST_INV) != 0) + " --dst-range " + range(info.dst_min, info.dst_max);
  }
  return text;
}

constexpr Match kMatches[] = {{.name = "iprange",
                               .revisions = {1, 1},
                               .traits = {},
                               .conditions = kConditionsOf<xt_iprange_mtinfo, Meaning>,
                               .text = kMatchTextOf<xt_iprange_mtinfo, Text>}};

}  // namespace
}  // namespace iprange

Family families::Iprange() { return {.matches = iprange::kMatches}; }

}  // namespace finwait::firewall::xt
