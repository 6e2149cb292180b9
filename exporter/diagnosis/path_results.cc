#include "exporter/diagnosis/path_results.h"

namespace finwait::diagnosis {

namespace {

// Whether a connection that no narrower rule singles out can be there at all: its packets pass while it has its entry.
// Firewalls that let pass nothing but by device (FireHOL, Shorewall) have none.
bool CanExist(PacketEvaluator& evaluator, IpFamily family) {
  using firewall::eval::PacketKind;
  return !IsLost(evaluator.RepresentativeTracked(family, PacketKind::kData).disposition) &&
         !IsLost(evaluator.RepresentativeTracked(family, PacketKind::kAck).disposition);
}

}  // namespace

PathResults EvaluatePaths(PacketEvaluator& evaluator, IpFamily family) {
  using firewall::eval::PacketKind;
  using firewall::eval::PathKind;
  const struct {
    PathKind path_kind;
    PacketKind kind;
  } packets[std::size(kPathPackets)] = {
      {PathKind::kLocal, PacketKind::kFin},     {PathKind::kLocal, PacketKind::kRst},
      {PathKind::kLocal, PacketKind::kData},    {PathKind::kLocal, PacketKind::kAck},
      {PathKind::kLocal, PacketKind::kPeerFin}, {PathKind::kForwarded, PacketKind::kFin},
  };
  PathResults results;
  const bool can_exist = CanExist(evaluator, family);
  for (std::size_t i = 0; i < results.dispositions.size(); ++i) {
    const firewall::eval::TraversalResult result = evaluator.General(family, packets[i].path_kind, packets[i].kind);
    results.dispositions[i] = result.disposition;
    if (result.disposition == firewall::eval::Disposition::kUnknown) {
      results.unknowns[i] = result.reason;
    } else if (!can_exist && IsLost(result.disposition)) {
      results.unknowns[i] = "which device a connection leaves through: rules let none pass without asking for that";
    } else {
      results.places[i] = SiteOf(result, evaluator);
    }
  }
  if (!can_exist) {
    return results;
  }
  results.tracked.fin = SiteOf(evaluator.RepresentativeTracked(family, PacketKind::kFin), evaluator);
  results.tracked.peer_fin = SiteOf(evaluator.RepresentativeTracked(family, PacketKind::kPeerFin), evaluator);
  const bool fins_die = results.tracked.fin || results.tracked.peer_fin;
  results.closing = FindClosingDrops(evaluator, firewall::eval::RepresentativeFlow(family), false, fins_die);
  return results;
}

}  // namespace finwait::diagnosis
