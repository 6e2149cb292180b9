#pragma once

#include <vector>

#include "collectors/firewall/model/ruleset.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/close_outcome.h"
#include "exporter/diagnosis/closing_drops.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/forwarded_facts.h"
#include "exporter/diagnosis/stuck.h"

namespace finwait::diagnosis {

/// By which hooks of this host the packets of another namespace pass.
enum class HostPassage {
  kForward,  ///< routed: prerouting, forward, postrouting
  kInput,    ///< its peer is this host itself: prerouting, input; answers by output, postrouting
  kBridged,  ///< passed on by a bridge; through the hooks of kForward only where br_netfilter has them called
};

/// What becomes of a close of a connection of another namespace without its entry here, by what this host does on the
/// way through. The other namespace's own rules are taken to let everything pass.
struct ForwardedOutcome : CloseOutcome {
  HostPassage passage = HostPassage::kForward;
  /// This host's conntrack was not seen to track that namespace: what is lost only for want of an entry is kUnknown,
  /// and is not to be counted as at risk.
  bool may_bypass_tracking = false;
};

/// Evaluates closes of connections that this host passes on for other namespaces. Asks nobody, as CloseEvaluator does
/// not: run it in EvaluateInRounds(). `history`, here and below: what earlier collections saw of the connection's entry
/// in this host's table; null for nothing.
ForwardedOutcome EvaluateForwardedClose(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                        const ConnectionHistory* history);

/// What becomes of it while its entry is there, by CombineTrackedFate(). Clean where no rule is known to lose a packet
/// for certain: what passes this host's hooks by, or may by a flowtable, and what routing refuses is no rule's doing.
/// `history` tells what the entry makes of its packets.
ForwardedOutcome EvaluateTrackedForwardedClose(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                               const ConnectionHistory* history);

/// Whether every connection of the family that this host passes on, and that no VRF has a part in, closes cleanly while
/// its entry is there: nearly all rulesets let pass what has one. False: each has to be evaluated.
bool AllTrackedForwardedAreClean(CloseEvaluator& evaluator, IpFamily family, bool peer_has_closed);

/// Where its packets die whose entry is there, and those without (FindClosingDrops()). Empty where one end is this
/// host's own, or that cannot be told.
ClosingDrops FindForwardedDrops(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                const ConnectionHistory* history);

/// What becomes of one packet of it without its entry, as its socket names the packet. The peer's packets of a
/// translated connection come to the ends that it was translated to.
firewall::eval::TraversalResult EvaluateForwardedPacket(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                                        const ConnectionHistory* history,
                                                        firewall::eval::PacketKind kind);

/// The flowtables that may carry its packets past this host's rules while its entry is there: one of their devices is
/// the one that its packets come in or leave by, or may lie below that. They change nothing of a close without the
/// entry.
std::vector<firewall::FlowtableInTable> FlowtablesOnTheWay(CloseEvaluator& evaluator,
                                                           const ForwardedConnection& forwarded,
                                                           const ConnectionHistory* history);

/// Why a socket of another namespace, which IsStuck(), is stuck, as far as this host has a part in it. Nothing where
/// that cannot be told: its FIN did not leave its own namespace, whose rules and routes nobody has read, its entry
/// cannot be asked for, or nobody watched and the entry may have timed out before the FIN or after it. Nor where the
/// rules would drop a FIN or its ACK that has its entry, and a flowtable may have carried it past them. `socket`
/// carries its entry of this host's table.
StuckFinding FindForwardedCause(const kernel::TcpSocket& socket, const ForwardedConnection& forwarded,
                                const StuckContext& context);

}  // namespace finwait::diagnosis
