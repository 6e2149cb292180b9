#pragma once

#include <string>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/hook_traversal.h"
#include "collectors/firewall/eval/packet_names.h"

namespace finwait::firewall::eval {

/// Whether the nat chains translated a connection when it was opened. Packets without an entry are not translated, so
/// a connection that was dies with its entry.
struct NatEffect {
  Tristate source = Tristate::kUnknown;       ///< SNAT, MASQUERADE
  Tristate destination = Tristate::kUnknown;  ///< DNAT, REDIRECT
  std::string reason;                         ///< what a kUnknown hangs on
  Tristate Any() const { return Or(source, destination); }
};

/// Runs the nat chains, as they are now, for the connection's first packet. `connection` is as its local socket sees
/// it; for one that the peer opened, the address it was sent to before any translation is not known, and only rules
/// that could have led to the local end count. Give the evaluator facts: nat chains are not part of a collection.
NatEffect EvaluateNat(ChainEvaluator& evaluator, const Connection& connection, OpenedBy opened_by,
                      const PacketPathSettings& settings);

/// The same for either opener at once: what both lead to, unknown where that differs.
NatEffect EitherOpener(const NatEffect& ours, const NatEffect& theirs);

/// Whether the nat chains leave alone all connections that anybody opens to any port of `local`, over any device. Then
/// EvaluateNat() says the same of each that is kLocal and opened by its peer, unless the rules would not let it come
/// about at all. False where it depends on the connection.
bool LeavesArrivalsAlone(ChainEvaluator& evaluator, const IpAddress& local, const PacketPathSettings& settings);

}  // namespace finwait::firewall::eval
