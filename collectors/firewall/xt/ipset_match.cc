#include "collectors/firewall/xt/ipset_match.h"

#include <cstdint>

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

std::optional<IpsetMatch> DecodeIpsetMatch(const XtMatch& match) {
  IpsetMatch decoded;
  std::uint32_t flags = 0;
  if (match.revision == 1 || match.revision == 2) {
    const auto info = ReadAs<xt_set_info_match_v1>(match.info);
    if (!info) {
      return std::nullopt;
    }
    decoded.set = info->match_set;
    decoded.excluded = (decoded.set.flags & IPSET_RETURN_NOMATCH) != 0;
    return decoded;
  }
  if (match.revision == 3) {
    const auto info = ReadAs<xt_set_info_match_v3>(match.info);
    if (!info) {
      return std::nullopt;
    }
    decoded.set = info->match_set;
    decoded.packets = {info->packets.value, info->packets.op};
    decoded.bytes = {info->bytes.value, info->bytes.op};
    flags = info->flags;
  } else if (match.revision == 4) {
    const auto info = ReadAs<xt_set_info_match_v4>(match.info);
    if (!info) {
      return std::nullopt;
    }
    decoded.set = info->match_set;
    decoded.packets = {info->packets.value, info->packets.op};
    decoded.bytes = {info->bytes.value, info->bytes.op};
    flags = info->flags;
  } else {
    return std::nullopt;
  }
  decoded.counted = decoded.packets.op != IPSET_COUNTER_NONE || decoded.bytes.op != IPSET_COUNTER_NONE;
  decoded.excluded = (flags & IPSET_FLAG_RETURN_NOMATCH) != 0;
  return decoded;
}

}  // namespace finwait::firewall::xt
