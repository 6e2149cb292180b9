#include "exporter/diagnosis/stuck_evaluation.h"

#include <algorithm>

#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"

namespace finwait::diagnosis {

void StuckEvaluation::Count(const std::vector<kernel::TcpSocket>& closing, const std::vector<StuckCandidate>& stuck,
                            SteadyClock::time_point now) {
  if (counted_before_.empty()) {
    history_.Update(closing, stuck, now);
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
  history_.Update(others, stuck, now);         // which passes over those that are not among `others`
}

void StuckEvaluation::Evaluate(const scheduling::Snapshot& snapshot, bool anything_changed, SteadyClock::time_point now,
                               RulesEvaluation& rules, ConnectionHistories& connections, PredictionOutcomes& outcomes,
                               Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::SocketsSample>();
  const auto* sample = snapshot.Find<sources::SocketsSample>();
  if (sample == nullptr) {
    summary_.reset();
    return;
  }
  const bool is_new = sample_.TakeIn(status);
  if (summary_ && !is_new && !anything_changed) {
    diagnosis.stuck = summary_;
    return;
  }
  if (is_new) {
    connections.Observe(sample->closing, status->taken_at);
  }
  const auto* sysctl = snapshot.Find<sources::SysctlSample>();
  std::vector<StuckCandidate> evaluated;
  std::vector<std::optional<ConnectionHistory>> histories;  // of those in `evaluated`
  rules.InRounds([&] {
    evaluated.clear();
    histories.clear();
    for (const kernel::TcpSocket& socket : sample->closing) {
      if (IsStuck(socket)) {
        const auto& history = histories.emplace_back(connections.Find(socket.cookie));
        const auto settled = history_.FindingOfLastTry(socket);
        evaluated.push_back({&socket, settled ? *settled
                                              : FindCause(socket, {rules.Evaluator(), history ? &*history : nullptr,
                                                                   sysctl, &rules.Sites()})});
      }
    }
  });
  if (is_new) {
    Count(sample->closing, evaluated, status->taken_at);
    outcomes.ObserveClosing(*sample, evaluated, history_.LastCounted(), status->taken_at);
  }
  StuckSummary summary;
  summary.total = history_.Counted();
  for (std::size_t i = 0; i < evaluated.size(); ++i) {
    const StuckCandidate& one = evaluated[i];
    summary.Add({*one.socket, one.finding.cause, history_.Age(*one.socket, now),
                 histories[i].value_or(ConnectionHistory()), one.finding.site, one.finding.with_entry,
                 one.finding.is_answer, rules.DropsBeside(one.finding.site, *one.socket, one.finding.with_entry), 0,
                 nullptr});
  }
  std::stable_sort(summary.sockets.begin(), summary.sockets.end(),
                   [](const StuckSocket& a, const StuckSocket& b) { return a.age > b.age; });
  summary_ = std::move(summary);
  diagnosis.stuck = summary_;
}

}  // namespace finwait::diagnosis
