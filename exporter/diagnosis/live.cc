#include "exporter/diagnosis/live.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "collectors/base/pacer.h"
#include "exporter/diagnosis/at_risk_list.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::PathKind;

// What its entry was given with its last packet.
EntryTimeout EntryTimeoutOf(const kernel::TcpSocket& socket, const ConnectionHistory* history) {
  return {socket.entry.remaining_seconds, history != nullptr ? history->entry_timeout_at_most : std::nullopt};
}

// Less than half of its timeout left, and no keepalive that would refresh it before.
bool IsExpiring(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                const sources::SysctlSample& sysctl) {
  if (socket.entry.tracking != kernel::Tracking::kTracked || !socket.entry.state) {
    return false;
  }
  const auto timeout = EntryTimeoutOf(socket, history).Length(TimeoutOf(*socket.entry.state, sysctl));
  const std::chrono::seconds remaining(socket.entry.remaining_seconds);
  const auto keepalive_due = socket.KeepaliveDue();
  const bool refreshed = keepalive_due && *keepalive_due < remaining;
  return timeout && remaining * 2 < *timeout && !refreshed;
}

// Whether what becomes of its close hangs on no entry: the entry is there, or nothing here asks for one (`active`).
bool NeedsNoEntry(const kernel::TcpSocket& socket, const PerFamily<bool>& active) {
  return socket.entry.tracking == kernel::Tracking::kTracked || !active[socket.local.address.Family()];
}

// `fate` is one of kFatesAtRisk.
void CountAtRisk(const kernel::TcpSocket& socket, Fate fate, bool with_entry, LiveSummary& summary) {
  const auto position = std::find(std::begin(kFatesAtRisk), std::end(kFatesAtRisk), fate) - std::begin(kFatesAtRisk);
  ++summary.at_risk[static_cast<std::size_t>(position)];
  summary.at_risk_with_entry[static_cast<std::size_t>(position)] += with_entry ? 1 : 0;
  if (fate != Fate::kUnknown && fate != Fate::kPeerDecides && socket.state == kernel::TcpState::kCloseWait) {
    ++summary.would_stick_close_wait;
  }
}

void SumUpTimeout(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                  const sources::SysctlSample& sysctl, LiveSummary& summary) {
  *summary.expiring += IsExpiring(socket, history, sysctl) ? 1 : 0;
  if (socket.entry.tracking != kernel::Tracking::kTracked || !socket.entry.state) {
    return;
  }
  const EntryTimeout timeout = EntryTimeoutOf(socket, history);
  if (timeout.IsOwn(*socket.entry.state, sysctl)) {
    summary.own_timeouts.Add(*timeout.Length(std::nullopt));
  } else {
    ++summary.sysctl_timeouts;
  }
}

AtRiskSocket Describe(const kernel::TcpSocket& socket, const ConnectionHistory* history, bool with_entry,
                      CloseEvaluator& evaluator) {
  const CloseOutcome outcome = with_entry ? evaluator.EvaluateTracked(socket) : evaluator.Evaluate(socket, history);
  AtRiskSocket described = DescribeOutcome(socket, history, outcome, evaluator);
  described.with_entry = with_entry;
  if (described.site && !IsLost(outcome.peer_reset.disposition)) {
    described.drops = FindClosingDrops(evaluator.Packets(), evaluator.ConnectionWithFacts(socket),
                                       socket.state != kernel::TcpState::kEstablished, with_entry);
  }
  return described;
}

AtRiskSocket NotEvaluatedYet(const kernel::TcpSocket& socket) {
  AtRiskSocket described;
  described.socket = socket;
  described.reason = "its turn to be evaluated has not come yet: evaluation keeps to --sampling.cpu-budget";
  return described;
}

// What becomes of closes of those that have their entry. Nearly all rulesets let pass what has one, and then one answer
// holds for all sockets of a kind: asked once for a sample, not once for each of 100,000.
class WithEntry {
 public:
  explicit WithEntry(CloseEvaluator& evaluator) : evaluator_(evaluator) {}

  std::optional<Fate> Remembered(const kernel::TcpSocket& socket) {
    const IpFamily family = socket.local.address.Family();
    const ListedSocket listed(socket);
    const bool stays = IsLoopback(listed) && !listed.translated;
    const bool peer_has_closed = socket.state != kernel::TcpState::kEstablished;
    const std::size_t kind = static_cast<std::size_t>(family) * 8 + (listed.translated ? 4 : 0) + (stays ? 2 : 0) +
                             (peer_has_closed ? 1 : 0);
    if (!all_clean_[kind]) {
      const auto are_clean = [&](PathKind path) {
        return evaluator_.Packets().AllTrackedAreClean(family, path, peer_has_closed, listed.translated);
      };
      // One that seems to leave may be to another address of this host.
      all_clean_[kind] = are_clean(PathKind::kLoopback) && (stays || are_clean(PathKind::kLocal));
    }
    return *all_clean_[kind] ? std::optional(Fate::kClean) : evaluator_.RememberedTracked(socket);
  }

 private:
  CloseEvaluator& evaluator_;
  // By family, whether nat translates it, path, and whether the peer has closed.
  std::array<std::optional<bool>, 16> all_clean_;
};

// Evaluates the open sockets of a sample that are not remembered. All of them as they are, with an entry or without,
// and of those with one as many as it takes to find one that would stick without it.
class LiveTally {
 public:
  LiveTally(const sources::TrackingSample& sample, const ConnectionHistories& memory, CloseEvaluator& evaluator,
            const PerFamily<bool>& active, const LiveEffort& effort)
      : sample_(sample), memory_(memory), evaluator_(evaluator), effort_(effort) {
    std::vector<std::size_t> tracked;
    WithEntry with_entry(evaluator);
    for (std::size_t i = 0; i < sample.sockets.Size(); ++i) {
      const kernel::TcpSocket socket = sample.sockets[i];
      if (!socket.IsOpen()) {
        continue;
      }
      if (NeedsNoEntry(socket, active) && !with_entry.Remembered(socket)) {
        with_entry_.push_back(i);
      }
      if (active[socket.local.address.Family()] && IsNeeded(socket) && !IsKnown(socket)) {
        (socket.entry.tracking == kernel::Tracking::kTracked ? tracked : waiting_).push_back(i);
      }
    }
    waiting_.insert(waiting_.end(), tracked.begin(), tracked.end());
  }

  // Whether a socket, with an entry or without, was found to stick once it has none.
  bool FoundStick() const { return found_stick_; }

  void Run(firewall::facts::Resolver* resolver) {
    EvaluateInRounds(evaluator_, resolver, [this] { RunRound(); });
  }

 private:
  bool IsNeeded(const kernel::TcpSocket& socket) const {
    return socket.entry.tracking == kernel::Tracking::kUntracked || !(effort_.drop_path_known || found_stick_);
  }

  bool IsKnown(const kernel::TcpSocket& socket) {
    const std::optional<ConnectionHistory> history = memory_.Find(socket.cookie);
    if (socket.entry.tracking == kernel::Tracking::kTracked && history && history->Translated()) {
      found_stick_ = true;
      return true;
    }
    const auto known = evaluator_.Remembered(socket, history ? &*history : nullptr);
    found_stick_ = found_stick_ || (known && WouldStick(*known));
    return known.has_value();
  }

  bool MayGoOn() const {
    return stopwatch_.Elapsed() < effort_.evaluation && evaluator_.Packets().Facts().Noted().size() < kNeedsInARound;
  }

  // What becomes of those with an entry as long as it is there: known at once under nearly all rulesets.
  void RunRoundWithEntry() {
    std::vector<std::size_t> missing;
    std::size_t next = 0;
    for (; next < with_entry_.size() && MayGoOn(); ++next) {
      const kernel::TcpSocket socket = sample_.sockets[with_entry_[next]];
      evaluator_.TrackedFateOf(socket);
      if (!evaluator_.RememberedTracked(socket)) {
        missing.push_back(with_entry_[next]);
      }
    }
    missing.insert(missing.end(), with_entry_.begin() + static_cast<std::ptrdiff_t>(next), with_entry_.end());
    with_entry_ = std::move(missing);
  }

  void RunRound() {
    std::vector<std::size_t> missing;
    std::size_t next = 0;
    for (; next < waiting_.size() && MayGoOn(); ++next) {
      const kernel::TcpSocket socket = sample_.sockets[waiting_[next]];
      if (!IsNeeded(socket)) {
        continue;
      }
      const std::optional<ConnectionHistory> found = memory_.Find(socket.cookie);
      const ConnectionHistory* history = found ? &*found : nullptr;
      found_stick_ = WouldStick(evaluator_.FateOf(socket, history)) || found_stick_;
      if (!evaluator_.Remembered(socket, history)) {
        missing.push_back(waiting_[next]);
      }
    }
    missing.insert(missing.end(), waiting_.begin() + static_cast<std::ptrdiff_t>(next), waiting_.end());
    waiting_ = std::move(missing);
    RunRoundWithEntry();
  }

  const sources::TrackingSample& sample_;
  const ConnectionHistories& memory_;
  CloseEvaluator& evaluator_;
  const LiveEffort& effort_;
  CpuStopwatch stopwatch_;
  bool found_stick_ = false;  // then whether others with an entry would stick without it tells nothing new
  std::vector<std::size_t> waiting_;
  std::vector<std::size_t> with_entry_;  // what becomes of their close as long as the entry is there
};

// The sockets at risk that a report lists.
std::vector<AtRiskSocket> DescribeAll(const kernel::SocketTable& sockets, const std::vector<AtRiskList::Listed>& listed,
                                      const ConnectionHistories& memory, CloseEvaluator& evaluator,
                                      firewall::facts::Resolver* resolver) {
  std::vector<AtRiskSocket> described;
  EvaluateInRounds(evaluator, resolver, [&] {
    described.clear();
    for (const AtRiskList::Listed& one : listed) {
      const kernel::TcpSocket socket = sockets[one.position];
      const std::optional<ConnectionHistory> history = memory.Find(socket.cookie);
      const ConnectionHistory* known = history ? &*history : nullptr;
      const bool evaluated = one.with_entry || evaluator.RememberedProvisionally(socket, known).has_value();
      described.push_back(evaluated ? Describe(socket, known, one.with_entry, evaluator) : NotEvaluatedYet(socket));
      described.back().stands_for = one.stands_for;
    }
  });
  return described;
}

}  // namespace

AtRiskSocket DescribeOutcome(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                             const CloseOutcome& outcome, CloseEvaluator& evaluator) {
  AtRiskSocket described;
  described.socket = socket;
  described.fate = outcome.fate;
  described.reason = outcome.reason;
  if (history != nullptr) {
    described.history = *history;
  }
  if (const auto loss = DecisiveDropOf(outcome)) {
    described.site = SiteOf(*loss->result, evaluator.Packets());
    described.site_is_inbound = !firewall::eval::IsOutgoing(loss->packet);
    described.reason = described.site ? described.reason : loss->result->reason;
  }
  return described;
}

LiveSummary SumUpLive(const sources::TrackingSample& sample, const ConnectionHistories& memory,
                      CloseEvaluator& evaluator, const sources::SysctlSample* sysctl, const PerFamily<bool>& active,
                      const LiveEffort& effort, firewall::facts::Resolver* resolver) {
  LiveTally evaluation(sample, memory, evaluator, active, effort);
  evaluation.Run(resolver);
  LiveSummary summary;
  summary.any_would_stick = evaluation.FoundStick();
  if (sysctl != nullptr) {
    summary.expiring = 0;
  }
  AtRiskList listed(LiveSummary::kMostListed);
  WithEntry with_entry(evaluator);
  for (std::size_t i = 0; i < sample.sockets.Size(); ++i) {
    const kernel::TcpSocket socket = sample.sockets[i];
    if (!socket.IsOpen()) {
      continue;
    }
    ++summary.open;
    const bool is_active = active[socket.local.address.Family()];
    const std::optional<ConnectionHistory> remembered = memory.Find(socket.cookie);
    const ConnectionHistory* history = remembered ? &*remembered : nullptr;
    if (is_active && sysctl != nullptr) {
      SumUpTimeout(socket, history, *sysctl, summary);
    }
    const bool tracked = is_active && socket.entry.tracking == kernel::Tracking::kTracked;
    const bool translated = tracked && history != nullptr && history->Translated();
    summary.translated += translated ? 1 : 0;
    summary.any_would_stick = summary.any_would_stick || translated;
    if (NeedsNoEntry(socket, active)) {
      if (const auto now = with_entry.Remembered(socket); now && WouldStick(*now)) {
        summary.any_would_stick = true;
        CountAtRisk(socket, *now, true, summary);
        ++summary.at_risk_by_holder[HolderOf(socket, 0)];
        listed.Add(i, *now, evaluator.RememberedTrackedSite(socket), true);
        continue;
      }
    }
    if (!is_active || (tracked && (effort.drop_path_known || summary.any_would_stick))) {
      continue;  // no entry here is no risk; or whether it would stick without its entry tells nothing new
    }
    const auto known = evaluator.RememberedProvisionally(socket, history);
    summary.unevaluated += known ? 0 : 1;
    const Fate fate = known.value_or(Fate::kUnknown);
    summary.any_would_stick = summary.any_would_stick || WouldStick(fate);
    summary.any_unknown = summary.any_unknown || fate == Fate::kUnknown;
    if (tracked) {
      continue;
    }
    ++(socket.state == kernel::TcpState::kEstablished ? summary.untracked_established : summary.untracked_close_wait);
    if (fate == Fate::kClean) {
      continue;
    }
    CountAtRisk(socket, fate, false, summary);
    ++summary.at_risk_by_holder[HolderOf(socket, 0)];
    if (fate != Fate::kUnknown && fate != Fate::kPeerDecides) {
      summary.ends.Add(history != nullptr ? *history : ConnectionHistory(), sysctl);
    }
    listed.Add(i, fate, evaluator.RememberedSite(socket, history), false);
  }
  summary.sockets = DescribeAll(sample.sockets, listed.Take(), memory, evaluator, resolver);
  summary.each_stood_for = listed.IsComplete();
  return summary;
}

}  // namespace finwait::diagnosis
