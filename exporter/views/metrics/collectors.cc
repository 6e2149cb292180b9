#include "collectors/sources/sockets.h"
#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

double Seconds(SteadyClock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void AppendCollectors(const diagnosis::Diagnosis& diagnosis, Families& families) {
  const scheduling::Snapshot& snapshot = *diagnosis.snapshot;
  Family success =
      Family::Gauge("collector_success", "1 where the collector's newest collection had no error at all, else 0.");
  Family duration = Family::Gauge("collector_duration_seconds", "How long the collector's newest collection took.");
  Family last = Family::Gauge("collector_last_success_timestamp_seconds",
                              "Unix time of the collector's last collection without an error; 0 before the first.");
  Family interval = Family::Gauge("collector_interval_seconds",
                                  "Time between the collections now; stretches to keep --sampling.cpu-budget.");
  Family failures = Family::Counter("collector_failures_total", "The collector's collections that had an error.");
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    const std::string_view name = status.info->name;
    success.Add({{"collector", name}}, status.Succeeded() ? 1 : 0);
    duration.Add({{"collector", name}}, Seconds(status.duration));
    last.Add({{"collector", name}},
             status.last_success ? std::chrono::duration<double>(status.last_success->time_since_epoch()).count() : 0);
    interval.Add({{"collector", name}}, Seconds(status.interval));
    for (const FailureReason reason : kFailureReasons) {
      failures.Add({{"collector", name}, {"reason", Name(reason)}},
                   static_cast<double>(status.failures[static_cast<std::size_t>(reason)]));
    }
  }
  success.AppendTo(families);
  duration.AppendTo(families);
  last.AppendTo(families);
  interval.AppendTo(families);
  Family part_interval = Family::Gauge(
      "sampling_interval_seconds",
      "Time between two runs of costly work that is spaced by itself: counting all sockets, and evaluating "
      "what would become of the live ones.");
  if (const auto* sockets = snapshot.Find<sources::SocketsSample>()) {
    part_interval.Add({{"work", "socket_counts"}}, Seconds(sockets->counts_interval));
  }
  if (diagnosis.live) {
    part_interval.Add({{"work", "evaluation"}}, Seconds(diagnosis.evaluation_interval));
  }
  part_interval.AppendTo(families);
  failures.AppendTo(families);
}

}  // namespace finwait::views::metrics
