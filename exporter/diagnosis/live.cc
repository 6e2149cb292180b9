#include "exporter/diagnosis/live.h"

#include <algorithm>

#include "collectors/base/pacer.h"

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

AtRiskSocket Describe(const kernel::TcpSocket& socket, const ConnectionHistory* past, CloseEvaluator& judge) {
  const CloseOutcome judgement = judge.Evaluate(socket, past);
  AtRiskSocket described;
  described.socket = socket;
  described.fate = judgement.fate;
  described.reason = judgement.reason;
  if (past != nullptr) {
    described.past = *past;
  }
  if (judgement.fate == Fate::kFinDropped || judgement.fate == Fate::kAckDropped) {
    described.place = SiteOf(judgement.fate == Fate::kFinDropped ? judgement.fin : judgement.ack);
  }
  return described;
}

AtRiskSocket NotEvaluatedYet(const kernel::TcpSocket& socket) {
  AtRiskSocket described;
  described.socket = socket;
  described.reason = "its turn to be judged has not come yet: judging keeps to --sampling.cpu-budget";
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

LiveSummary SumUpLive(const sources::TrackingSample& sample, const ConnectionHistories& memory, CloseEvaluator& judge,
                      const sources::SysctlSample* sysctl, const std::array<bool, 2>& active,
                      const LiveEffort& effort) {
  const CpuStopwatch judging;
  LiveSummary summary;
  if (sysctl != nullptr) {
    summary.expiring = 0;
  }
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
    const ConnectionHistory* past = remembered ? &*remembered : nullptr;
    if (socket.entry.tracking == kernel::Tracking::kTracked) {
      const bool translated = past != nullptr && past->Translated();
      summary.translated += translated ? 1 : 0;
      summary.any_would_stick = summary.any_would_stick || translated;
      if (effort.drop_path_known || summary.any_would_stick) {
        continue;  // whether it would stick without its entry tells nothing new
      }
    }
    auto known = judge.Remembered(socket, past);
    if (!known && judging.Elapsed() < effort.judging) {
      known = judge.FateOf(socket, past);
    }
    summary.unevaluated += known ? 0 : 1;
    const Fate fate = known.value_or(Fate::kUnknown);
    summary.any_would_stick = summary.any_would_stick || (fate != Fate::kClean && fate != Fate::kUnknown);
    summary.any_unknown = summary.any_unknown || fate == Fate::kUnknown;
    if (socket.entry.tracking == kernel::Tracking::kTracked) {
      continue;
    }
    ++(socket.state == kernel::TcpState::kEstablished ? summary.untracked_established : summary.untracked_close_wait);
    const auto* at_risk = std::find(std::begin(kFatesAtRisk), std::end(kFatesAtRisk), fate);
    if (at_risk == std::end(kFatesAtRisk)) {
      continue;
    }
    ++summary.at_risk[static_cast<std::size_t>(at_risk - std::begin(kFatesAtRisk))];
    if (fate != Fate::kUnknown) {
      summary.would_stick_close_wait += socket.state == kernel::TcpState::kCloseWait ? 1 : 0;
      summary.ends.Add(past != nullptr ? *past : ConnectionHistory());
    }
    if (summary.sockets.size() < LiveSummary::kMostListed) {
      summary.sockets.push_back(known ? Describe(socket, past, judge) : NotEvaluatedYet(socket));
    }
  }
  return summary;
}

}  // namespace finwait::diagnosis
