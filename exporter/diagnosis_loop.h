#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "exporter/channel/reader_client.h"
#include "exporter/channel/snapshot_feed.h"
#include "exporter/command_line/options.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/incidents/journal.h"
#include "exporter/pairs/key.h"
#include "exporter/pairs/view.h"
#include "exporter/process/process_report.h"
#include "exporter/report/latest.h"
#include "exporter/service/collector_log.h"
#include "exporter/service/incident_journal.h"
#include "exporter/service/log.h"
#include "exporter/service/refused_call_log.h"
#include "exporter/service/rendered_metrics.h"
#include "exporter/service/stage_log.h"

namespace finwait::exporter {

/// What the service does with each snapshot of the reader's: it is diagnosed, noted in the journal, logged and
/// published. Handlers of requests read what is published, on threads of theirs.
class DiagnosisLoop {
 public:
  /// `client` and `logger` must outlive this. Starts the journal's thread.
  DiagnosisLoop(const command_line::Options& options, const diagnosis::EvaluationPace& pace,
                const process::Layers& layers, service::OpenedStore store, const std::optional<pairs::Key>& pairs_key,
                channel::ReaderClient& client, const service::Logger& logger);

  const report::LatestReport& Latest() const { return latest_; }
  service::RenderedMetrics& Metrics() { return metrics_; }
  const incidents::Journal& Journal() const { return *journal_; }
  /// What answers /api/v1/pairs; null without a key.
  const std::shared_ptr<pairs::PairsView>& Pairs() const { return pairs_; }

  /// As SnapshotFeed.
  Result<void> TakeFirst() { return feed_.TakeFirst(); }
  void Start() { feed_.Start(); }
  /// False where the diagnosis does not end: its thread is left behind, and uses what this owns.
  bool Stop(Deadline deadline);

  /// Whether no fresh snapshot has been diagnosed for so long: what the service manager's watchdog is told follows
  /// that, so that a sampler or a diagnosis that has stopped gets the service restarted. Thread-safe.
  bool HasStarvedFor(SteadyClock::duration age) const { return SteadyClock::now() - last_fed_.load() > age; }

 private:
  void Take(std::shared_ptr<const scheduling::Snapshot> snapshot, bool fresh);

  channel::ReaderClient& client_;
  const service::Logger& logger_;
  bool stored_;
  std::atomic<SteadyClock::time_point> last_fed_{SteadyClock::now()};
  std::unique_ptr<incidents::Journal> journal_;
  report::LatestReport latest_;
  service::RenderedMetrics metrics_;
  diagnosis::Diagnostician diagnostician_;
  std::shared_ptr<pairs::PairsView> pairs_;
  service::CollectorLog collector_log_;
  service::StageLog stage_log_;
  service::RefusedCallLog refused_call_log_;
  channel::SnapshotFeed feed_;  // the last: its thread uses all of the above
};

}  // namespace finwait::exporter
