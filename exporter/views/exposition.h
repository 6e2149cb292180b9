#pragma once

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

/// Writes families in the order given. Values are the shortest decimals that read back as the same double. Buckets are
/// sorted and always end with +Inf. Bytes of a help text or label value that are not UTF-8 become U+FFFD, as one of
/// them would cost the whole scrape. A family without metrics prints nothing. Names are taken as they are:
/// CheckFamilies tells whether they can be.
std::string RenderFamilies(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format);

}  // namespace finwait::views
