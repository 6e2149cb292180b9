// -m socket and -j TPROXY. A connection's packet finds its socket here, bound to an address as connected ones are.
// Whether that is a transparent proxy's is not known. Revision 0 has no options.
#include <linux/netfilter/xt_socket.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

std::optional<xt_socket_mtinfo1> DecodeSocket(const XtMatch& match) {
  return match.revision == 0 ? std::optional(xt_socket_mtinfo1{}) : ReadAs<xt_socket_mtinfo1>(match.info);
}

Conditions Meaning(const xt_socket_mtinfo1& info, const Packet&, const HookContext& context) {
  const bool certain =
      context.journey != PathKind::kForwarded && (info.flags & (XT_SOCKET_TRANSPARENT | XT_SOCKET_RESTORESKMARK)) == 0;
  return {Condition::Of(certain ? Tristate::kYes : Tristate::kUnknown, "what socket receives the packet")};
}

constexpr Match kMatches[] = {
    {.name = "socket", .revisions = {0, 3}, .traits = {}, .conditions = ConditionsBy<DecodeSocket, Meaning>}};

constexpr Target kTargets[] = {
    {.name = "TPROXY",
     .revisions = kAnyRevision,
     .traits = {
         .changes_packet = true, .terminal = true, .unknowable_because = "whether a transparent proxy listens"}}};

}  // namespace

Family families::Socket() { return {.matches = kMatches, .targets = kTargets}; }

}  // namespace finwait::firewall::xt
