// -j SYNPROXY. synproxy_tg4(): only ACK alone is taken for the end of a handshake; FIN and RST pass. A SYN is answered
// and swallowed, and the entry of the connection that comes of it translates its sequence numbers
// (nf_ct_seqadj_init()): like one that NAT translates, it is lost with its entry.
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace synproxy {
namespace {

Effect Apply(const XtTarget&, Packet& packet, const HookContext&) {
  const AbstractByte& flags = packet.TcpFlags();
  constexpr std::uint8_t kSyn = 0x02;
  constexpr std::uint8_t kFinSynRst = 0x07;
  if (flags.IsKnown() && flags.value == kSyn) {
    packet.destination_translated = Tristate::kYes;
    return {.kind = Effect::Kind::kDrop};
  }
  if ((flags.known & kFinSynRst) != kFinSynRst || (flags.value & kSyn) != 0) {
    return Effect::Unknown("a SYN proxy");
  }
  return {.kind = (flags.value & kFinSynRst) != 0 ? Effect::Kind::kNext : Effect::Kind::kDrop};
}

constexpr Target kTargets[] = {{.name = "SYNPROXY",
                                .revisions = kAnyRevision,
                                .traits = {.needs_conntrack = true, .adjusts_sequence = true},
                                .apply = Apply}};

}  // namespace
}  // namespace synproxy

Family families::Synproxy() { return {.targets = synproxy::kTargets}; }

}  // namespace finwait::firewall::xt
