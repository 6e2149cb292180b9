#include "exporter/diagnosis/live_evaluation.h"

#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/drop_path.h"

namespace finwait::diagnosis {

bool LiveEvaluation::Evaluate(const scheduling::Snapshot& snapshot, bool rules_changed, SteadyClock::time_point now,
                              RulesEvaluation& rules, ConnectionHistories& connections, PredictionOutcomes& outcomes,
                              Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::TrackingSample>();
  const auto* tracking = snapshot.Find<sources::TrackingSample>();
  CloseEvaluator* evaluator = rules.Evaluator();
  const bool is_new = sample_.TakeIn(status);
  if (is_new) {
    connections.Update(tracking->sockets, status->taken_at);
    constexpr std::size_t kMany = 4096;  // what fewer leave between blocks in use is not worth the search
    const bool was_long = std::exchange(list_is_long_, tracking->sockets.Size() > kMany);
    long_list_is_new_ = list_is_long_ || was_long;
    if (evaluator != nullptr) {
      evaluator->Retain(tracking->sockets);
    }
  }
  if (tracking == nullptr || evaluator == nullptr) {
    const bool changed = summary_.has_value();
    summary_.reset();
    return changed;
  }
  const auto* sysctl = snapshot.Find<sources::SysctlSample>();
  // The timeouts have been read for the first time: what lacked for them would be missing in the first scrape.
  const bool completed = summary_ && !summary_->expiring && sysctl != nullptr;
  // Sockets that are evaluated one by one may cost more than all collectors: what is new waits for its turn.
  due_ = due_ || is_new || rules_changed || completed || !summary_ || summary_->unevaluated > 0;
  diagnosis.evaluation_interval = pace_.pacer.Interval();
  if (!due_ || (summary_ && !completed && !pace_.pacer.Due(now))) {
    diagnosis.live = summary_;
    return false;
  }
  const CpuStopwatch stopwatch;
  summary_ = SumUpLive(*tracking, connections, *evaluator, sysctl, MayBeActive(diagnosis.conntrack_active),
                       {HasDropPath(diagnosis) == true, pace_.most_at_once}, rules.Resolver());
  outcomes.Predict(*tracking, status->taken_at, connections, *evaluator, MayBeActive(diagnosis.conntrack_active));
  pace_.pacer.Ran(now, stopwatch.Elapsed());
  due_ = false;
  diagnosis.evaluation_interval = pace_.pacer.Interval();
  diagnosis.live = summary_;
  return true;
}

}  // namespace finwait::diagnosis
