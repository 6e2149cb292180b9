#include "exporter/diagnosis/silence_evaluation.h"

#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/drop_path.h"
#include "exporter/diagnosis/observed_silence.h"

namespace finwait::diagnosis {

void SilenceEvaluation::Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now,
                                 Diagnosis& diagnosis) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::TrackingSample>();
  const auto* tracking = snapshot.Find<sources::TrackingSample>();
  if (tracking == nullptr) {
    summary_.reset();
    return;
  }
  if (sample_.TakeIn(status)) {
    history_.Update(tracking->sockets, {}, status->taken_at);
    const IdleContext context{snapshot.Find<sources::SysctlSample>(), MayBeActive(diagnosis), paths_};
    summary_ = SumUpIdle(tracking->sockets, {}, history_, context, now);
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
      const ObservedSilence silence = others.Silence(context.sysctl);
      others_history_.Update(silence.sockets, silence.namespaces, sample.live->taken_at);
      others_summary_ = SumUpIdle(silence.sockets, silence.namespaces, others_history_, context, now);
      others_summary_->untold = silence.untold;
    }
  }
  if (others_summary_ && diagnosis.idle) {
    Add(*others_summary_, *diagnosis.idle);
  }
}

}  // namespace finwait::diagnosis
