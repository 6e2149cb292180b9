#pragma once

#include <string>

#include "collectors/firewall/verdict/connection.h"
#include "collectors/firewall/verdict/evaluator.h"
#include "collectors/firewall/verdict/hook_walk.h"

namespace finwait::firewall {

/// Whether the nat chains translated a connection when it was opened. Packets without an entry are not translated, so
/// a connection that was dies with its entry.
struct NatEffect {
  Truth source = Truth::kUnknown;       ///< SNAT, MASQUERADE
  Truth destination = Truth::kUnknown;  ///< DNAT, REDIRECT
  std::string reason;                   ///< what a kUnknown hangs on
  Truth Any() const { return Or(source, destination); }
};

/// Runs the nat chains, as they are now, for the connection's first packet. `connection` is as its local socket sees
/// it; for one that the peer opened, the address it was sent to before any translation is not known, and only rules
/// that could have led to the local end count. Give the evaluator a ReadOnDemand: nat chains are not part of a normal
/// look.
NatEffect EvaluateNat(Evaluator& evaluator, const Connection& connection, OpenedBy opened_by,
                      const NamespaceSettings& settings);

/// The same for either opener at once: what both lead to, unknown where that differs.
NatEffect EitherOpener(const NatEffect& ours, const NatEffect& theirs);

/// Whether the nat chains leave alone all connections that anybody opens to any port of `local`, over any device. Then
/// EvaluateNat() says the same of each that is kLocal and opened by its peer, unless the rules would not let it come
/// about at all. False where it depends on the connection.
bool LeavesArrivalsAlone(Evaluator& evaluator, const IpAddress& local, const NamespaceSettings& settings);

}  // namespace finwait::firewall
