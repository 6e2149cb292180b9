#include "exporter/diagnosis/silence_evaluation.h"

#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/observed_silence.h"

namespace finwait::diagnosis {

void SilenceEvaluation::Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now,
                                 Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::TrackingSample>();
  const auto* tracking = snapshot.Find<sources::TrackingSample>();
  // Without entries, where conntrack is not there or may not be asked, the sockets themselves still tell.
  const auto* sockets = tracking == nullptr ? snapshot.Find<sources::SocketsSample>() : nullptr;
  const bool lists = sockets != nullptr && sockets->lists_unfinished;
  if (tracking == nullptr && !lists && (sockets == nullptr || !without_entries_)) {
    summary_.reset();
    return;
  }
  without_entries_ = tracking == nullptr;
  status = tracking == nullptr ? snapshot.Status<sources::SocketsSample>() : status;
  if ((tracking != nullptr || lists) && sample_.TakeIn(status)) {
    const kernel::SocketTable& live = tracking != nullptr ? tracking->sockets : sockets->unfinished;
    const IdleContext context{snapshot.Find<sources::SysctlSample>(), MayBeActive(diagnosis.conntrack_active), paths_};
    history_.Update(live, {}, IdleHistory::Source::kTcpInfo, context, status->taken_at);
    summary_ = SumUpIdle(live, {}, history_, context, now);
  }
  diagnosis.idle = summary_;
}

void SilenceEvaluation::AddOthers(const sources::NetworkNamespacesSample& sample, const OtherNamespaces& others,
                                  const OtherContext& other, SteadyClock::time_point now, Diagnosis& diagnosis) {
  const IdleContext context{other.sysctl, other.conntrack_active, paths_};
  if (sample.live != others_summed_up_) {
    others_summed_up_ = sample.live;
    others_summary_.reset();
    if (sample.live != nullptr) {
      const ObservedSilence silence = others.Silence(other);
      others_history_.Update(silence.sockets, silence.namespaces, IdleHistory::Source::kEntries, context,
                             sample.live->taken_at);
      others_summary_ = SumUpIdle(silence.sockets, silence.namespaces, others_history_, context, now);
      others_summary_->untold = silence.untold;
    }
  }
  if (others_summary_ && diagnosis.idle) {
    Add(*others_summary_, *diagnosis.idle);
  }
}

}  // namespace finwait::diagnosis
