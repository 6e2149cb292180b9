#pragma once

#include "collectors/firewall/eval/hook_traversal.h"
#include "collectors/firewall/eval/packet_names.h"

namespace finwait::firewall::eval {

/// The reset by which this host answers a packet that a rule rejects "with tcp reset" (nf_send_reset(),
/// nf_send_reset6()): from where the packet was going to, back to the socket that sent it. If it gets there the socket
/// is gone, and does not try again. To a socket of this host it goes through loopback, to a peer as what a socket here
/// would send.
struct ResetAnswer {
  Connection connection;  ///< kLoopback or kLocal; its local end is the one that the answer seems to come from
  Packet packet;          ///< of kind kRst in `connection`
};

/// What answers the packet of `kind` in `connection`, which conntrack took for `rejected` when it was rejected.
/// The answer to a packet that has an entry belongs to that entry: it is RELATED from the start (nf_ct_attach()).
ResetAnswer AnswerTo(const Connection& connection, PacketKind kind, PacketTracking rejected);

/// Whether `rule` answers what it rejects with a reset.
bool AnswersWithReset(const Rule& rule, IpFamily family);

/// Whether the path ends by a rule that answers with a reset.
bool IsAnsweredWithReset(const TraversalEnd& end);

}  // namespace finwait::firewall::eval
