#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collectors/firewall/eval/planned_accepts.h"
#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {

/// One of the places at which the closing packets of a connection die, and the rule in front of it that would let them
/// pass.
struct ClosingDrop {
  DropSite site;
  firewall::eval::PacketKind packet = firewall::eval::PacketKind::kFin;  ///< that dies there, once those before pass
  firewall::eval::Accepts accepts = firewall::eval::Accepts::kClosing;
  bool helps = true;  ///< false: such a rule would not let it pass, for want of a state that it has there
};

/// All places that have to let packets pass before a connection closes on both ends, whichever closes first: a firewall
/// that drops the FIN on its way out mostly drops the answer on its way in, too.
struct ClosingDrops {
  std::vector<ClosingDrop> places;  ///< in the order in which packets meet them: FIN, ACK, the peer's FIN, its ACK
  bool enough = true;               ///< with all of those rules the connection closes
  std::string reason;               ///< what else it hangs on; empty where that is a place above
};

/// Evaluates `connection` with the advised rules in force, one after the other. `tracked`: also as long as its entry is
/// there.
ClosingDrops FindClosingDrops(PacketEvaluator& evaluator, const firewall::eval::Connection& connection,
                              bool peer_has_closed, bool tracked);

}  // namespace finwait::diagnosis
