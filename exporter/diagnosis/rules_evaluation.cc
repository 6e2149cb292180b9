#include "exporter/diagnosis/rules_evaluation.h"

#include <algorithm>
#include <iterator>

#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/conntrack_activity.h"

namespace finwait::diagnosis {
namespace {

// Whether all rules of the families in which conntrack runs could be read.
bool AreComplete(const firewall::Ruleset& ruleset, const PerFamily<bool>& active) {
  for (const IpFamily family : kIpFamilies) {
    if (!active[family]) {
      continue;
    }
    const bool unavailable =
        std::any_of(std::begin(firewall::kBackends), std::end(firewall::kBackends),
                    [&](firewall::Backend backend) { return IsUnavailable(ruleset, backend, family); });
    const bool unread =
        std::any_of(ruleset.unread.begin(), ruleset.unread.end(),
                    [&](const firewall::UnreadPart& part) { return !part.family || Covers(*part.family, family); });
    if (unavailable || unread) {
      return false;
    }
  }
  return true;
}

}  // namespace

void RulesEvaluation::RefreshFacts(SteadyClock::time_point now) {
  facts_->Expire(now);
  if (resolver_ != nullptr) {
    resolver_->TakeInChanges(*facts_);
    resolver_->Resolve(facts_->Stale(), *facts_);
  }
}

bool RulesEvaluation::Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now,
                               Diagnosis& diagnosis) {
  const auto* firewall = snapshot.Find<sources::FirewallSample>();
  if (firewall == nullptr) {
    const bool changed = evaluator_ != nullptr;
    evaluator_.reset();
    return changed;
  }
  diagnosis.conntrack_active = IsConntrackActive(*firewall->ruleset, snapshot.Find<sources::ConntrackTableSample>(),
                                                 snapshot.Find<sources::TrackingSample>());
  EvaluationSettings settings;
  TakeSettings(snapshot.Find<sources::SysctlSample>(), snapshot.Find<sources::ConntrackStatsSample>(),
               snapshot.Find<sources::ConntrackTableSample>(), settings);
  diagnosis.table_full = settings.table_full;
  settings.conntrack_active = MayBeActive(diagnosis.conntrack_active);
  // Rules that have changed wait for their turn; until then everything is evaluated by those before them.
  const bool in_turn = firewall->ruleset == ruleset_ || !pacer_ || pacer_->Due(now);
  const bool renewed =
      evaluator_ == nullptr || (in_turn && !evaluator_->Packets().IsFor(firewall->ruleset.get(), settings));
  // What the paths of the representative flow hang on beside the rules changes seldom.
  const bool changed = renewed || !facts_->Holds(paths_hang_on_, paths_as_of_);
  if (renewed) {
    facts_->Invalidate(static_cast<firewall::facts::FactKinds>(
        firewall::facts::kRulesFacts | firewall::facts::Only(firewall::facts::FactKind::kElement)));
    evaluator_ = std::make_unique<CloseEvaluator>(firewall->ruleset, settings, facts_);
    ruleset_ = firewall->ruleset;
  }
  if (changed) {
    const CpuStopwatch stopwatch;
    sites_.Clear();
    drops_beside_.clear();
    evaluator_->Packets().Facts().TakeHungOn();
    EvaluateInRounds(*evaluator_, resolver_.get(), [this] {
      paths_ = {EvaluatePaths(evaluator_->Packets(), IpFamily::kIpv4),
                EvaluatePaths(evaluator_->Packets(), IpFamily::kIpv6)};
    });
    paths_hang_on_ = evaluator_->Packets().Facts().TakeHungOn();
    paths_as_of_ = facts_->Now();
    paths_are_new_ = true;
    if (pacer_) {
      pacer_->Ran(now, stopwatch.Elapsed());
    }
  }
  diagnosis.paths.emplace();
  for (const IpFamily family : kIpFamilies) {
    const PathResults& results = paths_[family];
    (*diagnosis.paths)[family] = results.dispositions;
    diagnosis.path_places[family] = results.places;
    diagnosis.path_unknowns[family] = results.unknowns;
    diagnosis.closing_drops[family] = results.closing;
    diagnosis.tracked_places[family] = results.tracked;
  }
  diagnosis.rules_complete = settings.tcp_loose.has_value() && AreComplete(*ruleset_, settings.conntrack_active);
  return changed;
}

std::shared_ptr<const ClosingDrops> RulesEvaluation::DropsBeside(const std::shared_ptr<const DropSite>& site,
                                                                 const kernel::TcpSocket& socket, bool with_entry) {
  if (site == nullptr || evaluator_ == nullptr) {
    return nullptr;
  }
  constexpr std::size_t kMostSites = 256;
  const auto known = drops_beside_.find({site, with_entry});
  if (known != drops_beside_.end()) {
    return known->second;
  }
  if (drops_beside_.size() >= kMostSites) {
    return nullptr;
  }
  ClosingDrops drops;
  InRounds([&] {
    drops = FindClosingDrops(evaluator_->Packets(), evaluator_->ConnectionWithFacts(socket),
                             socket.state != kernel::TcpState::kFinWait1, with_entry);
  });
  return drops_beside_[{site, with_entry}] = std::make_shared<const ClosingDrops>(std::move(drops));
}

std::size_t RulesEvaluation::PruneUnused(SteadyClock::time_point now) {
  if (evaluator_ == nullptr) {
    return 0;
  }
  // The paths of the representative flow run through every chain, the largest too, and once only.
  return std::exchange(paths_are_new_, false) ? facts_->EvictRules() : facts_->EvictUnused(now);
}

}  // namespace finwait::diagnosis
