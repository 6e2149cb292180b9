#include "collectors/firewall/eval/planned_accepts.h"

#include <netinet/tcp.h>

#include <algorithm>

namespace finwait::firewall::eval {
namespace {

bool Matches(Accepts accepts, const Packet& packet) {
  const AbstractByte& flags = packet.TcpFlags();
  const auto is_set = [&](std::uint8_t flag) { return (flags.known & flag) == flag && (flags.value & flag) == flag; };
  // Only of data are the flags open (PSH): see MakePacket().
  const bool no_syn = flags.field == Field::kTcpFlags || ((flags.known & TH_SYN) != 0 && (flags.value & TH_SYN) == 0);
  // Before conntrack has looked at a packet, matches see INVALID, too.
  const bool invalid = packet.tracking == PacketTracking::kNoEntry;
  switch (accepts) {
    case Accepts::kClosing:
      return invalid && (is_set(TH_FIN) || is_set(TH_RST));
    case Accepts::kInvalid:
      return invalid;
    case Accepts::kReplies:
      return no_syn && (invalid || packet.tracking == PacketTracking::kNew);
    case Accepts::kFins:
      return no_syn && is_set(TH_FIN);
  }
  return false;
}

// Of a rule in its chain; the number of rules for a policy, and for a rule that is not there.
std::size_t PositionOf(const Chain& chain, const RuleId& id) {
  const auto found = std::find_if(chain.rules.begin(), chain.rules.end(),
                                  [&](const Rule& rule) { return id.handle && rule.handle == id.handle; });
  return static_cast<std::size_t>(found - chain.rules.begin());
}

}  // namespace

bool PlannedAccepts::LetPass(const Table& table, const Chain& chain, const Rule* rule, const Packet& packet) const {
  const RuleId at = IdOf(table, chain, rule);
  return std::any_of(planned_.begin(), planned_.end(), [&](const Planned& planned) {
    const RuleId& before = planned.before;
    if (before.backend != at.backend || before.family != at.family || before.table != at.table ||
        before.chain != at.chain || !Matches(planned.accepts, packet)) {
      return false;
    }
    return before.dialect == Dialect::kIptables || PositionOf(chain, before) <= PositionOf(chain, at);
  });
}

}  // namespace finwait::firewall::eval
