#include "exporter/diagnosis/diagnostician.h"

#include <algorithm>
#include <utility>

#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/drop_path.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

// Whether all rules of the families in which conntrack runs could be read.
bool AreComplete(const firewall::Ruleset& ruleset, const std::array<bool, 2>& active) {
  for (const IpFamily family : kIpFamilies) {
    if (!active[static_cast<std::size_t>(family)]) {
      continue;
    }
    const bool blind = std::any_of(std::begin(firewall::kBackends), std::end(firewall::kBackends),
                                   [&](firewall::Backend backend) { return IsBlind(ruleset, backend, family); });
    const bool unread =
        std::any_of(ruleset.unread.begin(), ruleset.unread.end(),
                    [&](const firewall::UnreadPart& part) { return !part.family || Covers(*part.family, family); });
    if (blind || unread) {
      return false;
    }
  }
  return true;
}

}  // namespace

template <typename Pass>
void Diagnostician::InRounds(Pass pass) {
  if (judge_ != nullptr) {
    EvaluateInRounds(*judge_, resolver_.get(), pass);
  } else {
    pass();
  }
}

void Diagnostician::RefreshFacts(SteadyClock::time_point now) {
  facts_->Expire(now);
  if (resolver_ != nullptr) {
    resolver_->TakeInChanges(*facts_);
    resolver_->Resolve(facts_->Stale(), *facts_);
  }
}

bool Diagnostician::EvaluateRules(const scheduling::Snapshot& snapshot, SteadyClock::time_point now,
                                  Diagnosis& diagnosis) {
  const auto* firewall = snapshot.Find<sources::FirewallSample>();
  if (firewall == nullptr) {
    const bool changed = judge_ != nullptr;
    judge_.reset();
    return changed;
  }
  for (const IpFamily family : kIpFamilies) {
    diagnosis.conntrack_active[static_cast<std::size_t>(family)] =
        IsConntrackActive(*firewall->ruleset, snapshot.Find<sources::ConntrackTableSample>(),
                          snapshot.Find<sources::TrackingSample>(), family);
  }
  EvaluationSettings settings;
  TakeSettings(snapshot.Find<sources::SysctlSample>(), snapshot.Find<sources::ConntrackStatsSample>(),
               snapshot.Find<sources::ConntrackTableSample>(), settings);
  diagnosis.table_full = settings.table_full;
  settings.conntrack_active = MayBeActive(diagnosis);
  // Rules that have changed wait for their turn; until then everything is evaluated by those before them.
  const bool in_turn = firewall->ruleset == evaluated_rules_ || !evaluation_.rules || evaluation_.rules->Due(now);
  const bool renewed = judge_ == nullptr || (in_turn && !judge_->IsFor(firewall->ruleset.get(), settings));
  // What the paths of the representative flow hang on beside the rules changes seldom.
  const bool changed = renewed || !facts_->Holds(paths_hang_on_, paths_as_of_);
  if (renewed) {
    facts_->Invalidate(static_cast<firewall::facts::FactKinds>(
        firewall::facts::kRulesFacts | firewall::facts::Only(firewall::facts::FactKind::kElement)));
    judge_ = std::make_unique<CloseEvaluator>(firewall->ruleset, settings, facts_);
    evaluated_rules_ = firewall->ruleset;
  }
  if (changed) {
    const CpuStopwatch stopwatch;
    sites_.Clear();
    drops_beside_.clear();
    judge_->Facts().TakeHungOn();
    EvaluateInRounds(*judge_, resolver_.get(), [this] {
      paths_ = {EvaluatePaths(*judge_, IpFamily::kIpv4), EvaluatePaths(*judge_, IpFamily::kIpv6)};
    });
    paths_hang_on_ = judge_->Facts().TakeHungOn();
    paths_as_of_ = facts_->Now();
    paths_are_new_ = true;
    if (evaluation_.rules) {
      evaluation_.rules->Ran(now, stopwatch.Elapsed());
    }
  }
  diagnosis.paths = {paths_[0].decisions, paths_[1].decisions};
  diagnosis.path_places = {paths_[0].places, paths_[1].places};
  diagnosis.path_unknowns = {paths_[0].unknowns, paths_[1].unknowns};
  diagnosis.closing_drops = {paths_[0].closing, paths_[1].closing};
  diagnosis.tracked_places = {paths_[0].tracked, paths_[1].tracked};
  diagnosis.rules_complete =
      settings.tcp_loose.has_value() && AreComplete(*evaluated_rules_, settings.conntrack_active);
  return changed;
}

bool Diagnostician::EvaluateLive(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                                 Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::TrackingSample>();
  const auto* tracking = snapshot.Find<sources::TrackingSample>();
  const bool is_new = tracking_sample_.TakeIn(status);
  if (is_new) {
    connections_.Update(tracking->sockets, status->taken_at);
    constexpr std::size_t kMany = 4096;  // what fewer leave between blocks in use is not worth the search
    const bool was_long = std::exchange(list_is_long_, tracking->sockets.Size() > kMany);
    long_list_is_new_ = list_is_long_ || was_long;
    if (judge_ != nullptr) {
      judge_->Retain(tracking->sockets);
    }
  }
  if (tracking == nullptr || judge_ == nullptr) {
    const bool changed = live_.has_value();
    live_.reset();
    return changed;
  }
  const auto* sysctl = snapshot.Find<sources::SysctlSample>();
  // The timeouts have been read for the first time: what lacked for them would be missing in the first scrape.
  const bool completed = live_ && !live_->expiring && sysctl != nullptr;
  // Sockets that are evaluated one by one may cost more than all collectors: what is new waits for its turn.
  live_due_ = live_due_ || is_new || rules_changed || completed || !live_ || live_->unevaluated > 0;
  diagnosis.evaluation_interval = evaluation_.pacer.Interval();
  if (!live_due_ || (live_ && !completed && !evaluation_.pacer.Due(now))) {
    diagnosis.live = live_;
    return false;
  }
  const CpuStopwatch stopwatch;
  live_ = SumUpLive(*tracking, connections_, *judge_, sysctl, MayBeActive(diagnosis),
                    {HasDropPath(diagnosis) == true, evaluation_.most_at_once}, resolver_.get());
  outcomes_.Predict(*tracking, status->taken_at, connections_, *judge_, MayBeActive(diagnosis));
  evaluation_.pacer.Ran(now, stopwatch.Elapsed());
  live_due_ = false;
  diagnosis.evaluation_interval = evaluation_.pacer.Interval();
  diagnosis.live = live_;
  return true;
}

void Diagnostician::SumUpSilence(const scheduling::Snapshot& snapshot, SteadyClock::time_point now,
                                 Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::TrackingSample>();
  const auto* tracking = snapshot.Find<sources::TrackingSample>();
  // Without entries, where conntrack is not there or may not be asked, the sockets themselves still tell.
  const auto* sockets = tracking == nullptr ? snapshot.Find<sources::SocketsSample>() : nullptr;
  const bool lists = sockets != nullptr && sockets->lists_unfinished;
  if (tracking == nullptr && !lists && (sockets == nullptr || !idle_without_entries_)) {
    idle_now_.reset();
    return;
  }
  idle_without_entries_ = tracking == nullptr;
  status = tracking == nullptr ? snapshot.Status<sources::SocketsSample>() : status;
  if ((tracking != nullptr || lists) && idle_sample_.TakeIn(status)) {
    const kernel::SocketTable& live = tracking != nullptr ? tracking->sockets : sockets->unfinished;
    const IdleContext context{snapshot.Find<sources::SysctlSample>(), MayBeActive(diagnosis), path_timeouts_};
    idle_history_.Update(live, {}, IdleHistory::Source::kTcpInfo, context, status->taken_at);
    idle_now_ = SumUpIdle(live, {}, idle_history_, context, now);
  }
  diagnosis.idle = idle_now_;
}

void Diagnostician::AddSilenceOfOthers(const sources::NetworkNamespacesSample& sample, const IdleContext& context,
                                       SteadyClock::time_point now, Diagnosis& diagnosis) {
  if (sample.live != others_idle_of_) {
    others_idle_of_ = sample.live;
    others_idle_.reset();
    if (sample.live != nullptr) {
      const ObservedSilence silence = others_.Silence(context.sysctl);
      others_idle_history_.Update(silence.sockets, silence.namespaces, IdleHistory::Source::kEntries, context,
                                  sample.live->taken_at);
      others_idle_ = SumUpIdle(silence.sockets, silence.namespaces, others_idle_history_, context, now);
      others_idle_->untold = silence.untold;
    }
  }
  if (others_idle_ && diagnosis.idle) {
    Add(*others_idle_, *diagnosis.idle);
  }
}

void Diagnostician::CountStuck(const std::vector<kernel::TcpSocket>& closing, const std::vector<StuckCandidate>& stuck,
                               SteadyClock::time_point now) {
  if (counted_before_.empty()) {
    stuck_.Update(closing, stuck, now);
    return;
  }
  std::set<std::pair<Endpoint, Endpoint>> still_closing;
  std::vector<kernel::TcpSocket> others;
  for (const kernel::TcpSocket& socket : closing) {
    if (counted_before_.contains({socket.local, socket.peer})) {
      still_closing.insert({socket.local, socket.peer});
    } else {
      others.push_back(socket);
    }
  }
  counted_before_ = std::move(still_closing);  // a new connection between the same ends is another
  stuck_.Update(others, stuck, now);           // which passes over those that are not among `others`
}

std::shared_ptr<const ClosingDrops> Diagnostician::DropsBeside(const std::shared_ptr<const DropSite>& site,
                                                               const kernel::TcpSocket& socket, bool with_entry) {
  if (site == nullptr || judge_ == nullptr) {
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
    drops = FindClosingDrops(*judge_, judge_->ConnectionWithFacts(socket), socket.state != kernel::TcpState::kFinWait1,
                             with_entry);
  });
  return drops_beside_[{site, with_entry}] = std::make_shared<const ClosingDrops>(std::move(drops));
}

void Diagnostician::EvaluateStuck(const scheduling::Snapshot& snapshot, bool anything_changed,
                                  SteadyClock::time_point now, Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::SocketsSample>();
  const auto* sample = snapshot.Find<sources::SocketsSample>();
  if (sample == nullptr) {
    stuck_now_.reset();
    return;
  }
  const bool is_new = sockets_sample_.TakeIn(status);
  if (stuck_now_ && !is_new && !anything_changed) {
    diagnosis.stuck = stuck_now_;
    return;
  }
  if (is_new) {
    connections_.Observe(sample->closing, status->taken_at);
  }
  const auto* sysctl = snapshot.Find<sources::SysctlSample>();
  std::vector<StuckCandidate> judged;
  std::vector<std::optional<ConnectionHistory>> histories;  // of those in `judged`
  InRounds([&] {
    judged.clear();
    histories.clear();
    for (const kernel::TcpSocket& socket : sample->closing) {
      if (IsStuck(socket)) {
        const auto& history = histories.emplace_back(connections_.Find(socket.cookie));
        const auto settled = stuck_.FindingOfLastTry(socket);
        judged.push_back(
            {&socket,
             settled ? *settled : FindCause(socket, {judge_.get(), history ? &*history : nullptr, sysctl, &sites_})});
      }
    }
  });
  if (is_new) {
    CountStuck(sample->closing, judged, status->taken_at);
    outcomes_.ObserveClosing(*sample, judged, stuck_.LastCounted(), status->taken_at);
  }
  StuckSummary summary;
  summary.total = stuck_.Counted();
  for (std::size_t i = 0; i < judged.size(); ++i) {
    const StuckCandidate& one = judged[i];
    summary.Add({*one.socket, one.finding.cause, stuck_.Age(*one.socket, now),
                 histories[i].value_or(ConnectionHistory()), one.finding.site, one.finding.with_entry,
                 DropsBeside(one.finding.site, *one.socket, one.finding.with_entry), 0, nullptr});
  }
  std::stable_sort(summary.sockets.begin(), summary.sockets.end(),
                   [](const StuckSocket& a, const StuckSocket& b) { return a.age > b.age; });
  stuck_now_ = std::move(summary);
  diagnosis.stuck = stuck_now_;
}

void Diagnostician::AddOthers(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                              Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::NetworkNamespacesSample>();
  const auto* sample = snapshot.Find<sources::NetworkNamespacesSample>();
  if (sample != nullptr && sample->observes) {
    OtherContext context;
    context.evaluator = judge_.get();
    context.resolver = resolver_.get();
    context.sysctl = snapshot.Find<sources::SysctlSample>();
    context.conntrack_active = MayBeActive(diagnosis);
    context.sites = &sites_;
    context.evaluation = evaluation_.most_at_once;
    const bool is_new = others_sample_.TakeIn(status);
    const LiveSummary& live = others_.SumUpLive(*sample, rules_changed, context);
    const StuckSummary& stuck = others_.SumUpStuck(*sample, is_new, status->taken_at, now, context);
    if (diagnosis.live) {
      Add(live, *diagnosis.live);
    }
    if (diagnosis.stuck) {
      Add(stuck, *diagnosis.stuck);
    }
    AddSilenceOfOthers(*sample, {context.sysctl, context.conntrack_active, path_timeouts_}, now, diagnosis);
  } else if (const StuckSummary& counted = others_.Forget(); diagnosis.stuck) {
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

bool Diagnostician::ForgetUnused(SteadyClock::time_point now) {
  const bool replaced = std::exchange(long_list_is_new_, false);
  if (judge_ == nullptr) {
    return replaced;
  }
  // The paths of the representative flow run through every chain, the largest too, and once only.
  constexpr std::size_t kMuch = 64 * 1024;
  const std::size_t freed = std::exchange(paths_are_new_, false) ? facts_->EvictRules() : facts_->EvictUnused(now);
  return freed >= kMuch || replaced;
}

std::shared_ptr<const Diagnosis> Diagnostician::Diagnose(std::shared_ptr<const scheduling::Snapshot> snapshot,
                                                         SteadyClock::time_point now,
                                                         scheduling::WallClock::time_point wall) {
  auto diagnosis = std::make_shared<Diagnosis>();
  diagnosis->at = wall;
  diagnosis->snapshot = std::move(snapshot);
  RefreshFacts(now);
  const bool rules_changed = EvaluateRules(*diagnosis->snapshot, now, *diagnosis);
  if (rules_changed) {
    outcomes_.RulesChanged();
  }
  const bool live_changed = EvaluateLive(*diagnosis->snapshot, rules_changed, now, *diagnosis);
  SumUpSilence(*diagnosis->snapshot, now, *diagnosis);
  EvaluateStuck(*diagnosis->snapshot, rules_changed || live_changed, now, *diagnosis);
  AddOthers(*diagnosis->snapshot, rules_changed, now, *diagnosis);
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
