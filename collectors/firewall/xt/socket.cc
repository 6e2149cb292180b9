// -m socket and -j TPROXY. A connection's packet finds its socket here, bound to an address as connected ones are.
// Revision 0 has no options.
#include <linux/netfilter/xt_socket.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace socket {
namespace {

std::optional<xt_socket_mtinfo1> DecodeSocket(const XtMatch& match) {
  return match.revision == 0 ? std::optional(xt_socket_mtinfo1{}) : ReadAs<xt_socket_mtinfo1>(match.info);
}

// socket_match()
Conditions Meaning(const xt_socket_mtinfo1& info, const Packet&, const HookContext& context) {
  Tristate found = context.socket != nullptr ? Tristate::kYes : Tristate::kUnknown;
  if (context.socket != nullptr && (info.flags & XT_SOCKET_TRANSPARENT) != 0) {
    const auto& transparent = context.socket->transparent;
    found = transparent ? TristateOf(*transparent) : Tristate::kUnknown;
  }
  return {Condition::Of(found, "what socket receives the packet")};
}

// --restore-skmark
void Change(const XtMatch& match, Packet& packet, const HookContext& context, bool matched) {
  const auto info = DecodeSocket(match);
  if (!matched || !info || (info->flags & XT_SOCKET_RESTORESKMARK) == 0) {
    return;
  }
  const bool known = context.socket != nullptr && context.socket->mark;
  packet.mark = known ? AbstractNumber<4>::Known(*context.socket->mark) : AbstractNumber<4>::Unknown();
}

constexpr Match kMatches[] = {{.name = "socket",
                               .revisions = {0, 3},
                               .traits = {.changes_packet = true},
                               .conditions = ConditionsBy<DecodeSocket, Meaning>,
                               .change = Change}};

constexpr Target kTargets[] = {
    {.name = "TPROXY",
     .revisions = kAnyRevision,
     .traits = {
         .changes_packet = true, .terminal = true, .unknowable_because = "whether a transparent proxy listens"}}};

}  // namespace
}  // namespace socket

Family families::Socket() { return {.matches = socket::kMatches, .targets = socket::kTargets}; }

}  // namespace finwait::firewall::xt
