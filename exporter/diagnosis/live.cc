#include "exporter/diagnosis/live.h"

#include <algorithm>
#include <utility>

#include "collectors/base/pacer.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

// Less than half of its timeout left, and no keepalive that would refresh it before.
bool IsExpiring(const kernel::TcpSocket& socket, const sources::SysctlSample& sysctl) {
  if (socket.entry.tracking != kernel::Tracking::kTracked || !socket.entry.state) {
    return false;
  }
  const auto timeout = TimeoutOf(*socket.entry.state, sysctl);
  const std::chrono::seconds remaining(socket.entry.remaining_seconds);
  const auto keepalive_due = socket.KeepaliveDue();
  const bool refreshed = keepalive_due && *keepalive_due < remaining;
  return timeout && remaining * 2 < *timeout && !refreshed;
}

AtRiskSocket Describe(const kernel::TcpSocket& socket, const ConnectionHistory* history, CloseEvaluator& evaluator) {
  const CloseOutcome outcome = evaluator.Evaluate(socket, history);
  AtRiskSocket described;
  described.socket = socket;
  described.fate = outcome.fate;
  described.reason = outcome.reason;
  if (history != nullptr) {
    described.past = *history;
  }
  if (outcome.fate == Fate::kFinDropped || outcome.fate == Fate::kAckDropped) {
    described.place = SiteOf(outcome.fate == Fate::kFinDropped ? outcome.fin : outcome.ack, evaluator);
  } else if (outcome.fate == Fate::kPeerFinDropped) {
    described.place = SiteOf(IsLost(outcome.peer_fin.decision) ? outcome.peer_fin : outcome.last_ack, evaluator);
    described.place_is_inbound = IsLost(outcome.peer_fin.decision);
  } else if (outcome.fate == Fate::kPeerDecides) {
    described.place = SiteOf(outcome.ack, evaluator);
  }
  if (outcome.fate == Fate::kAckDropped || outcome.fate == Fate::kPeerDecides) {
    described.place_is_inbound = true;
  }
  return described;
}

AtRiskSocket NotEvaluatedYet(const kernel::TcpSocket& socket) {
  AtRiskSocket described;
  described.socket = socket;
  described.reason = "its turn to be evaluated has not come yet: evaluation keeps to --sampling.cpu-budget";
  return described;
}

bool WouldStick(Fate fate) { return fate != Fate::kClean && fate != Fate::kUnknown; }

// Evaluates the open sockets of a sample that are not remembered: all of them without an entry, and of those with one
// as many as it takes to find one that would stick without it.
class LiveEvaluation {
 public:
  LiveEvaluation(const sources::TrackingSample& sample, const ConnectionHistories& memory, CloseEvaluator& evaluator,
                 const std::array<bool, 2>& active, const LiveEffort& effort)
      : sample_(sample), memory_(memory), evaluator_(evaluator), effort_(effort) {
    std::vector<std::size_t> tracked;
    for (std::size_t i = 0; i < sample.sockets.Size(); ++i) {
      const kernel::TcpSocket socket = sample.sockets[i];
      if (socket.IsOpen() && active[static_cast<std::size_t>(socket.local.address.Family())] && IsNeeded(socket) &&
          !IsKnown(socket)) {
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
  // What one round reads: few enough that no fact goes before it is used.
  static constexpr std::size_t kNeedsInARound = 1024;

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

  void RunRound() {
    std::vector<std::size_t> missing;
    std::size_t next = 0;
    for (; next < waiting_.size(); ++next) {
      if (stopwatch_.Elapsed() >= effort_.evaluation || evaluator_.Facts().Noted().size() >= kNeedsInARound) {
        break;
      }
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
  }

  const sources::TrackingSample& sample_;
  const ConnectionHistories& memory_;
  CloseEvaluator& evaluator_;
  const LiveEffort& effort_;
  CpuStopwatch stopwatch_;
  bool found_stick_ = false;  // then whether others with an entry would stick without it tells nothing new
  std::vector<std::size_t> waiting_;
};

// The sockets at risk that a report lists, by their place in the sample.
std::vector<AtRiskSocket> DescribeAll(const std::vector<kernel::TcpSocket>& listed, const ConnectionHistories& memory,
                                      CloseEvaluator& evaluator, firewall::facts::Resolver* resolver) {
  std::vector<AtRiskSocket> described;
  EvaluateInRounds(evaluator, resolver, [&] {
    described.clear();
    for (const kernel::TcpSocket& socket : listed) {
      const std::optional<ConnectionHistory> history = memory.Find(socket.cookie);
      const ConnectionHistory* known = history ? &*history : nullptr;
      described.push_back(evaluator.RememberedProvisionally(socket, known) ? Describe(socket, known, evaluator)
                                                                           : NotEvaluatedYet(socket));
    }
  });
  return described;
}

}  // namespace

std::optional<std::chrono::seconds> TimeoutOf(kernel::ConntrackTcpState state, const sources::SysctlSample& sysctl) {
  for (std::size_t i = 0; i < sources::kConntrackTcpTimeoutNames.size(); ++i) {
    if (sources::kConntrackTcpTimeoutNames[i] == Name(state)) {
      return sysctl.conntrack_tcp_timeouts[i];
    }
  }
  return std::nullopt;
}

LiveSummary SumUpLive(const sources::TrackingSample& sample, const ConnectionHistories& memory,
                      CloseEvaluator& evaluator, const sources::SysctlSample* sysctl, const std::array<bool, 2>& active,
                      const LiveEffort& effort, firewall::facts::Resolver* resolver) {
  LiveEvaluation evaluation(sample, memory, evaluator, active, effort);
  evaluation.Run(resolver);
  LiveSummary summary;
  summary.any_would_stick = evaluation.FoundStick();
  if (sysctl != nullptr) {
    summary.expiring = 0;
  }
  std::vector<kernel::TcpSocket> listed;
  for (const kernel::TcpSocket& socket : sample.sockets) {
    if (!socket.IsOpen()) {
      continue;
    }
    ++summary.open;
    if (!active[static_cast<std::size_t>(socket.local.address.Family())]) {
      continue;  // no entry here is no risk
    }
    if (sysctl != nullptr) {
      *summary.expiring += IsExpiring(socket, *sysctl) ? 1 : 0;
    }
    const std::optional<ConnectionHistory> remembered = memory.Find(socket.cookie);
    const ConnectionHistory* history = remembered ? &*remembered : nullptr;
    const bool tracked = socket.entry.tracking == kernel::Tracking::kTracked;
    if (tracked) {
      const bool translated = history != nullptr && history->Translated();
      summary.translated += translated ? 1 : 0;
      summary.any_would_stick = summary.any_would_stick || translated;
      if (effort.drop_path_known || summary.any_would_stick) {
        continue;  // whether it would stick without its entry tells nothing new
      }
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
    const auto* at_risk = std::find(std::begin(kFatesAtRisk), std::end(kFatesAtRisk), fate);
    if (at_risk == std::end(kFatesAtRisk)) {
      continue;
    }
    ++summary.at_risk[static_cast<std::size_t>(at_risk - std::begin(kFatesAtRisk))];
    ++summary.at_risk_by_cgroup[socket.cgroup_id.value_or(0)];
    if (fate != Fate::kUnknown && fate != Fate::kPeerDecides) {
      summary.would_stick_close_wait += socket.state == kernel::TcpState::kCloseWait ? 1 : 0;
      summary.ends.Add(history != nullptr ? *history : ConnectionHistory());
    }
    if (listed.size() < LiveSummary::kMostListed) {
      listed.push_back(socket);
    }
  }
  summary.sockets = DescribeAll(listed, memory, evaluator, resolver);
  return summary;
}

}  // namespace finwait::diagnosis
