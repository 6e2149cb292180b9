#include "exporter/diagnosis/conntrack_activity.h"

#include <numeric>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Tristate;

bool HasEntries(const sources::FlowCounts& flows) {
  return std::accumulate(flows.tcp.begin(), flows.tcp.end(), flows.udp + flows.icmp + flows.other) > 0;
}

bool MayNeed(const firewall::Ruleset& ruleset, IpFamily family, firewall::facts::Resolver& resolver,
             firewall::facts::FactStore& facts) {
  firewall::facts::FactQuery query(facts);
  for (int round = 1;; ++round) {
    const Tristate needs = firewall::analysis::NeedsConntrack(ruleset, family, &query);
    const firewall::facts::Needs missing = query.TakeNeeds();
    if (missing.empty() || round == kMostRounds) {
      return needs != Tristate::kNo;
    }
    resolver.Resolve(missing, facts);
  }
}

}  // namespace

PerFamily<std::optional<bool>> IsConntrackActive(const firewall::Ruleset& ruleset,
                                                 const sources::ConntrackTableSample* table,
                                                 const sources::TrackingSample* tracking) {
  PerFamily<std::optional<bool>> active;
  for (const IpFamily family : kIpFamilies) {
    if ((table != nullptr && HasEntries(table->flows[family])) ||
        (tracking != nullptr && tracking->sockets.CountTracked(family) > 0)) {
      active[family] = true;
      continue;
    }
    const Tristate needed = firewall::analysis::NeedsConntrack(ruleset, family);
    active[family] = needed == Tristate::kUnknown ? std::nullopt : std::optional(needed == Tristate::kYes);
  }
  return active;
}

PerFamily<bool> MayBeActive(const PerFamily<std::optional<bool>>& active) {
  PerFamily<bool> may_be = {};
  for (const IpFamily family : kIpFamilies) {
    may_be[family] = active[family].value_or(true);
  }
  return may_be;
}

PerFamily<bool> MayNeedConntrack(const firewall::Ruleset& ruleset, firewall::facts::Resolver& resolver,
                                 firewall::facts::FactStore& facts) {
  PerFamily<bool> may_need = {};
  for (const IpFamily family : kIpFamilies) {
    may_need[family] = MayNeed(ruleset, family, resolver, facts);
  }
  return may_need;
}

}  // namespace finwait::diagnosis
