#pragma once

#include "collectors/firewall/eval/hook_traversal.h"
#include "collectors/firewall/eval/packet_names.h"

namespace finwait::firewall::eval {

/// The reset by which this host answers a packet of its own that a rule rejects "with tcp reset" (nf_send_reset(),
/// nf_send_reset6()): from where the packet was going to, through loopback, back to the socket that sent it. If it gets
/// there the socket is gone, and does not try again.
struct ResetAnswer {
  Connection connection;  ///< kLoopback; its local end is the one that the answer seems to come from
  Packet packet;          ///< of kind kRst in `connection`
};

/// What answers the packet of `kind` that a socket of this host sends in `connection`.
ResetAnswer AnswerTo(const Connection& connection, PacketKind kind);

/// Whether `rule` answers what it rejects with a reset.
bool AnswersWithReset(const Rule& rule, IpFamily family);

/// Whether the journey ends by a rule that answers with a reset.
bool IsAnsweredWithReset(const TraversalEnd& end);

}  // namespace finwait::firewall::eval
