#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

namespace finwait::views {

/// The two forms in which Prometheus reads metrics.
enum class ExpositionFormat {
  kText,         ///< the text format, version 0.0.4
  kOpenMetrics,  ///< OpenMetrics 1.0.0
};

/// The Content-Type of a format.
std::string_view ContentType(ExpositionFormat format);

/// Since when a counter family, by its name, counts, in Unix time; nothing where that is unknown.
using StartOfCounter = std::function<std::optional<double>(std::string_view name)>;

/// Writes families in the order given. Values are the shortest decimals that read back as the same double. Buckets are
/// sorted and always end with +Inf. Bytes of a help text or label value that are not UTF-8 become U+FFFD, as one of
/// them would cost the whole scrape. A family without metrics prints nothing. Names are taken as they are:
/// CheckFamilies tells whether they can be. `start_of`: OpenMetrics shows it as the _created of each counter; the text
/// format has no place for it.
std::string RenderFamilies(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format,
                           const StartOfCounter& start_of = nullptr);

}  // namespace finwait::views
