#include "exporter/diagnosis/paths.h"

#include <numeric>

#include "collectors/firewall/analysis/conntrack_use.h"

namespace finwait::diagnosis {

PathResults EvaluatePaths(CloseEvaluator& judge, IpFamily family) {
  using firewall::eval::PacketKind;
  using firewall::eval::PathKind;
  const struct {
    PathKind journey;
    PacketKind kind;
  } packets[std::size(kPathPackets)] = {
      {PathKind::kLocal, PacketKind::kFin},     {PathKind::kLocal, PacketKind::kRst},
      {PathKind::kLocal, PacketKind::kData},    {PathKind::kLocal, PacketKind::kAck},
      {PathKind::kLocal, PacketKind::kPeerFin}, {PathKind::kForwarded, PacketKind::kFin},
  };
  PathResults judgement;
  for (std::size_t i = 0; i < judgement.decisions.size(); ++i) {
    const firewall::eval::TraversalResult verdict = judge.General(family, packets[i].journey, packets[i].kind);
    judgement.decisions[i] = verdict.decision;
    judgement.places[i] = SiteOf(verdict);
  }
  return judgement;
}

std::optional<bool> IsConntrackActive(const firewall::Ruleset& ruleset, const sources::ConntrackTableSample* table,
                                      const sources::TrackingSample* tracking, IpFamily family) {
  if (table != nullptr) {
    const sources::FlowCounts& flows = table->flows[static_cast<std::size_t>(family)];
    if (std::accumulate(flows.tcp.begin(), flows.tcp.end(), flows.udp + flows.icmp + flows.other) > 0) {
      return true;
    }
  }
  if (tracking != nullptr && tracking->sockets.CountTracked(family) > 0) {
    return true;
  }
  switch (firewall::analysis::NeedsConntrack(ruleset, family)) {
    case firewall::eval::Tristate::kYes:
      return true;
    case firewall::eval::Tristate::kNo:
      return false;
    case firewall::eval::Tristate::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace finwait::diagnosis
