#include "exporter/diagnosis_loop.h"

#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

#include "exporter/service/memory_policy.h"
#include "exporter/views/metrics/boot_time.h"
#include "exporter/views/metrics/carried_counters.h"
#include "exporter/views/metrics/counter_origin.h"
#include "exporter/views/metrics/metrics.h"

namespace finwait::exporter {
namespace {

views::metrics::CounterValues CountersToStore(const diagnosis::Diagnosis& diagnosis,
                                              const incidents::Journal& journal) {
  auto families = views::metrics::MetricFamilies(diagnosis, false, {});
  views::metrics::CarryOn(families, journal.CountersBefore());
  return views::metrics::ObservedCounters(families);
}

service::RenderedMetrics::MakeFamilies FamiliesBy(const command_line::Options& options, const process::Layers& layers,
                                                  const channel::ReaderClient& client,
                                                  const incidents::Journal& journal) {
  return [&client, layers, exporter_metrics = options.exporter_metrics,
          &before = journal.CountersBefore()](const diagnosis::Diagnosis& diagnosis) {
    auto families = views::metrics::MetricFamilies(diagnosis, exporter_metrics, {layers, {client.Report()}});
    views::metrics::CarryOn(families, before);
    return families;
  };
}

views::StartOfCounter StartsBy(const incidents::Journal& journal) {
  const double since = std::chrono::duration<double>(journal.CountersSince().time_since_epoch()).count();
  return [starts = views::metrics::CounterStarts{views::metrics::BootTime(), since}](std::string_view name) {
    return StartOf(name, starts);
  };
}

}  // namespace

DiagnosisLoop::DiagnosisLoop(const command_line::Options& options, const diagnosis::EvaluationPace& pace,
                             const process::Layers& layers, service::OpenedStore store,
                             const std::optional<pairs::Key>& pairs_key, channel::ReaderClient& client,
                             const service::Logger& logger)
    : client_(client),
      logger_(logger),
      stored_(!options.storage_path.empty()),
      journal_(service::StartJournal(std::move(store), logger)),
      metrics_(FamiliesBy(options, layers, client, *journal_), latest_, StartsBy(*journal_)),
      diagnostician_(std::make_shared<channel::RemoteResolver>(client), pace, options.path_timeouts),
      collector_log_(logger),
      stage_log_(logger),
      refused_call_log_(logger),
      feed_(client, [this](std::shared_ptr<const scheduling::Snapshot> snapshot, bool fresh) {
        Take(std::move(snapshot), fresh);
      }) {
  diagnostician_.ResolveInside([&client](std::uint64_t network_namespace) {
    return std::make_shared<channel::RemoteResolver>(client, network_namespace);
  });
  diagnostician_.SkipCounted(journal_->CountedBefore());
  if (!options.owner_names) {
    diagnostician_.HideOwnerNames();
  }
  if (pairs_key) {
    pairs_ = std::make_shared<pairs::PairsView>(
        *pairs_key, options.owner_names, [&journal = *journal_] { return journal.Records(); }, latest_);
  }
}

void DiagnosisLoop::Take(std::shared_ptr<const scheduling::Snapshot> snapshot, bool fresh) {
  try {
    collector_log_.Report(*snapshot);
    refused_call_log_.Report(client_.Report().refused);
    const auto now = SteadyClock::now();
    auto diagnosis = diagnostician_.Diagnose(std::move(snapshot), now, scheduling::WallClock::now());
    journal_->Take(*diagnosis, stored_ ? CountersToStore(*diagnosis, *journal_) : views::metrics::CounterValues());
    if (pairs_ != nullptr) {
      pairs_->Take(*diagnosis);
    }
    auto report = report::MakeReport(std::move(diagnosis));
    stage_log_.Report(*report, now);
    metrics_.Publish(std::move(report), now);
    if (fresh) {
      last_fed_.store(SteadyClock::now());
    }
    if (diagnostician_.PruneUnused(now)) {
      service::TrimMemory();
    }
  } catch (const std::exception& problem) {
    // No memory, as a rule. The next sample tells everything again; without one, readiness and the watchdog notice.
    logger_.Error("what was read could not be diagnosed", {{"error", problem.what()}});
  }
}

bool DiagnosisLoop::Stop(Deadline deadline) {
  if (!feed_.Stop(deadline)) {
    return false;
  }
  refused_call_log_.Report(client_.Report().refused);
  return true;
}

}  // namespace finwait::exporter
