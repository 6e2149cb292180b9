#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {

void AppendRows(const scheduling::CollectorStatus& status, Families& families) {
  if (status.data == nullptr) {
    return;
  }
  for (const sources::Metric& metric : status.info->metrics) {
    if (const std::optional<double> value = metric.read(*status.data)) {
      const auto make = metric.type == sources::MetricType::kCounter ? Family::Counter : Family::Gauge;
      make(metric.name, metric.help).Add({}, *value).AppendTo(families);
    }
  }
}

}  // namespace finwait::views::metrics
