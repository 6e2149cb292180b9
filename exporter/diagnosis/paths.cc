#include "exporter/diagnosis/paths.h"

#include <numeric>

#include "collectors/firewall/conntrack_use.h"

namespace finwait {

PathJudgement JudgePaths(CloseJudge& judge, IpFamily family) {
  using firewall::Journey;
  using firewall::PacketKind;
  const struct {
    Journey journey;
    PacketKind kind;
  } packets[std::size(kPathPackets)] = {
      {Journey::kLocal, PacketKind::kFin},     {Journey::kLocal, PacketKind::kRst},
      {Journey::kLocal, PacketKind::kData},    {Journey::kLocal, PacketKind::kAck},
      {Journey::kLocal, PacketKind::kPeerFin}, {Journey::kForwarded, PacketKind::kFin},
  };
  PathJudgement judgement;
  for (std::size_t i = 0; i < judgement.decisions.size(); ++i) {
    const firewall::PathVerdict verdict = judge.General(family, packets[i].journey, packets[i].kind);
    judgement.decisions[i] = verdict.decision;
    judgement.places[i] = PlaceOf(verdict);
  }
  return judgement;
}

std::optional<bool> IsConntrackActive(const firewall::Ruleset& ruleset, const ConntrackTableSample* table,
                                      const TrackingSample* tracking, IpFamily family) {
  if (table != nullptr) {
    const FlowCounts& flows = table->flows[static_cast<std::size_t>(family)];
    if (std::accumulate(flows.tcp.begin(), flows.tcp.end(), flows.udp + flows.icmp + flows.other) > 0) {
      return true;
    }
  }
  if (tracking != nullptr && tracking->sockets.CountTracked(family) > 0) {
    return true;
  }
  switch (firewall::NeedsConntrack(ruleset, family)) {
    case firewall::Truth::kYes:
      return true;
    case firewall::Truth::kNo:
      return false;
    case firewall::Truth::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace finwait
