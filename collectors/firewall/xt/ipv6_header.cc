// -m ipv6header: the packet has no extension header, only what follows them.
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netfilter_ipv6/ip6t_ipv6header.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace ipv6_header {
namespace {

Conditions Meaning(const ip6t_ipv6header_info& info, const Packet&, const HookContext&) {
  constexpr unsigned kHeaders = MASK_PROTO;
  if (info.modeflag != 0) {
    return {Condition::Of(((kHeaders ^ info.matchflags ^ info.invflags) & info.matchflags) == 0)};
  }
  return {Condition::Of((info.matchflags == kHeaders) != (info.invflags != 0))};
}

constexpr Match kMatches[] = {{.name = "ipv6header",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<ip6t_ipv6header_info, Meaning>}};

}  // namespace
}  // namespace ipv6_header

Family families::Ipv6Header() { return {.matches = ipv6_header::kMatches}; }

}  // namespace finwait::firewall::xt
