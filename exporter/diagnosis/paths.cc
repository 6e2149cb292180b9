#include "exporter/diagnosis/paths.h"

#include <numeric>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {

PathResults EvaluatePaths(CloseEvaluator& evaluator, IpFamily family) {
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
  PathResults results;
  for (std::size_t i = 0; i < results.decisions.size(); ++i) {
    const firewall::eval::TraversalResult result = evaluator.General(family, packets[i].journey, packets[i].kind);
    results.decisions[i] = result.decision;
    results.places[i] = SiteOf(result, evaluator);
  }
  return results;
}

bool MayNeedConntrack(const firewall::Ruleset& ruleset, IpFamily family, firewall::facts::Resolver& resolver,
                      firewall::facts::FactStore& facts) {
  firewall::facts::FactQuery query(facts);
  for (int round = 1;; ++round) {
    const auto needs = firewall::analysis::NeedsConntrack(ruleset, family, &query);
    const firewall::facts::Needs missing = query.TakeNeeds();
    if (missing.empty() || round == kMostRounds) {
      return needs != firewall::eval::Tristate::kNo;
    }
    resolver.Resolve(missing, facts);
  }
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
