#include "collectors/kernel/conntrack_expiry.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>
#include <iterator>

#include "collectors/kernel/netlink/request.h"

namespace finwait::kernel {

Result<std::optional<ConntrackExpiry>> DecodeConntrackExpiry(const netlink::Message& message) {
  if (message.type != netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE)) {
    return std::nullopt;
  }
  const auto decoded = DecodeConntrackEntry(message);
  if (!decoded) {
    return Failure(decoded.error());
  }
  if (!*decoded || (*decoded)->protocol != IPPROTO_TCP || (*decoded)->remaining_seconds) {
    return std::nullopt;
  }
  const ConntrackEntry& entry = **decoded;
  if (!entry.tcp_state) {
    return Fail(FailureReason::kUnsupported,
                "this kernel's conntrack events do not tell in which TCP state an entry ended (Linux 5.10 and older do "
                "not): expiries cannot be counted");
  }
  const auto* const state =
      std::find(std::begin(kLiveConntrackStates), std::end(kLiveConntrackStates), *entry.tcp_state);
  if (state == std::end(kLiveConntrackStates)) {
    return std::nullopt;
  }
  const auto original = DecodeConntrackTuple(entry.original);
  const auto reply = DecodeConntrackTuple(entry.reply);
  if (!original || !reply) {
    return Fail(FailureReason::kError, "read conntrack events: an entry without addresses or ports");
  }
  return ConntrackExpiry{static_cast<std::size_t>(state - std::begin(kLiveConntrackStates)), *original, *reply};
}

ExpiryScope ScopeOf(const ConntrackExpiry& expiry, const OwnAddresses& own) {
  return own.Contains(expiry.original.source.address) || own.Contains(expiry.reply.source.address)
             ? ExpiryScope::kLocal
             : ExpiryScope::kForwarded;
}

}  // namespace finwait::kernel
