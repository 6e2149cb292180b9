// -m connlimit: how many connections a source (or a destination) has. The kernel shows no count of its own, but all
// that it can count have entries.
#include <linux/netfilter/xt_connlimit.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/entry_count.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace connlimit {
namespace {

// Whether each source counts for itself.
bool IsOfOneAddress(const xt_connlimit_info& info, IpFamily family) {
  const std::span<const std::byte> mask = BytesOf(info.mask).first(family == IpFamily::kIpv4 ? 4 : 16);
  return std::all_of(mask.begin(), mask.end(), [](std::byte each) { return each == std::byte{0xff}; });
}

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext&, FactLookup& facts) {
  const auto info = Decode<xt_connlimit_info>(match);
  if (!info) {
    return Unreadable();
  }
  const bool by_source = (info->flags & XT_CONNLIMIT_DADDR) == 0 && IsOfOneAddress(*info, packet.family);
  return {Condition::Of(IsAboveCount(info->limit, by_source ? &packet : nullptr, facts), kConnectionCount)
              .Invert((info->flags & XT_CONNLIMIT_INVERT) != 0)};
}

OptionText Text(const xt_connlimit_info& info, bool ipv6) {
  unsigned bits = 0;
  for (const std::byte byte : BytesOf(info.mask).first(ipv6 ? 16 : 4)) {
    for (unsigned value = std::to_integer<unsigned>(byte); value != 0; value &= value - 1) {
      ++bits;
    }
  }
  return ((info.flags & XT_CONNLIMIT_INVERT) != 0 ? " --connlimit-upto " : " --connlimit-above ") +
         std::to_string(info.limit) + " --connlimit-mask " + std::to_string(bits) +
         ((info.flags & XT_CONNLIMIT_DADDR) != 0 ? " --connlimit-daddr" : " --connlimit-saddr");
}

// Behind its flags comes a pointer of the kernel's, and room before it.
Value Identity(const XtMatch& match) {
  Value info = match.info;
  constexpr std::size_t kEnd = offsetof(xt_connlimit_info, flags) + sizeof(xt_connlimit_info::flags);
  info.resize(std::min(info.size(), kEnd));
  return info;
}

constexpr Match kMatches[] = {{.name = "connlimit",
                               .revisions = {0, 1},
                               .traits = {.needs_conntrack = true},
                               .conditions = Meaning,
                               .text = kMatchTextOf<xt_connlimit_info, Text>,
                               .identity = Identity}};

}  // namespace
}  // namespace connlimit

Family families::Connlimit() { return {.matches = connlimit::kMatches}; }

}  // namespace finwait::firewall::xt
