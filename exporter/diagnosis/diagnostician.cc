#include "exporter/diagnosis/diagnostician.h"

#include <algorithm>

#include "collectors/sources/netstat.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/conntrack_activity.h"

namespace finwait::diagnosis {

void Diagnostician::AddOthers(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                              Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::NetworkNamespacesSample>();
  const auto* sample = snapshot.Find<sources::NetworkNamespacesSample>();
  if (sample != nullptr && sample->observes) {
    OtherContext context;
    context.evaluator = rules_.Evaluator();
    context.resolver = rules_.Resolver();
    context.sysctl = snapshot.Find<sources::SysctlSample>();
    context.conntrack_active = MayBeActive(diagnosis.conntrack_active);
    context.sites = &rules_.Sites();
    context.evaluation = live_.MostAtOnce();
    const bool is_new = others_sample_.TakeIn(status);
    const LiveSummary& live = others_.SumUpLive(*sample, rules_changed, context);
    const StuckSummary& stuck = others_.SumUpStuck(*sample, is_new, status->taken_at, now, context);
    if (diagnosis.live) {
      Add(live, *diagnosis.live);
    }
    if (diagnosis.stuck) {
      Add(stuck, *diagnosis.stuck);
    }
    silence_.AddOthers(*sample, others_, context, now, diagnosis);
  } else if (const StuckSummary& counted = others_.Clear(); diagnosis.stuck) {
    Add(counted, *diagnosis.stuck);
  }
  owners_.SumUp(sample, now, diagnosis);
}

std::uint64_t Diagnostician::CountLostResets(const scheduling::Snapshot& snapshot, const Diagnosis& diagnosis) {
  const std::optional<std::uint64_t> failed = failed_resets_.NewIn(snapshot);
  if (!failed) {
    return 0;
  }
  outcomes_.ObserveFailedResets(*failed, snapshot.Status<sources::NetstatSample>()->taken_at);
  const bool drops_resets =
      diagnosis.paths && std::any_of(diagnosis.paths->begin(), diagnosis.paths->end(),
                                     [](const auto& family) { return IsLost(family[Index(PathPacket::kRst)]); });
  return drops_resets ? *failed : 0;
}

bool Diagnostician::PruneUnused(SteadyClock::time_point now) {
  constexpr std::size_t kMuch = 64 * 1024;
  const bool replaced = live_.TakeReplaced();
  return rules_.PruneUnused(now) >= kMuch || replaced;
}

std::shared_ptr<const Diagnosis> Diagnostician::Diagnose(std::shared_ptr<const scheduling::Snapshot> snapshot,
                                                         SteadyClock::time_point now,
                                                         scheduling::WallClock::time_point wall) {
  auto diagnosis = std::make_shared<Diagnosis>();
  diagnosis->at = wall;
  diagnosis->snapshot = std::move(snapshot);
  rules_.RefreshFacts(now);
  others_.RefreshFacts(now);
  const bool rules_changed = rules_.Evaluate(*diagnosis->snapshot, now, *diagnosis);
  if (rules_changed) {
    outcomes_.RulesChanged();
  }
  const bool live_changed =
      live_.Evaluate(*diagnosis->snapshot, rules_changed, now, rules_, connections_, outcomes_, *diagnosis);
  silence_.Evaluate(*diagnosis->snapshot, now, *diagnosis);
  stuck_.Evaluate(*diagnosis->snapshot, rules_changed || live_changed, now, rules_, connections_, outcomes_,
                  *diagnosis);
  AddOthers(*diagnosis->snapshot, rules_changed, now, *diagnosis);
  witness_.Evaluate(*diagnosis->snapshot, now, rules_, owners_, *diagnosis);
  diagnosis->firewall = firewall_counters_.AddUp(*diagnosis->snapshot);
  const std::uint64_t resets_lost = CountLostResets(*diagnosis->snapshot, *diagnosis);
  resets_lost_ += resets_lost;
  diagnosis->resets_lost = resets_lost_;
  const auto* netstat = diagnosis->snapshot->Find<sources::NetstatSample>();
  outcomes_.CountGone(netstat != nullptr && netstat->abort_failed);
  if (diagnosis->live && diagnosis->stuck) {
    diagnosis->predictions = outcomes_.Counted();
  }
  risk_.Assess(now, resets_lost, *diagnosis);
  return diagnosis;
}

}  // namespace finwait::diagnosis
