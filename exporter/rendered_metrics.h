#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <prometheus/metric_family.h>

#include "collectors/result.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/http/message.h"

namespace finwait {

/// The answer to scrapes: rendered, and compressed, once for each diagnosis and served to all who ask for that one, so
/// that many scrapers cost little more than one. Thread-safe.
class RenderedMetrics {
 public:
  using MakeFamilies = std::function<std::vector<prometheus::MetricFamily>(const Diagnosis&)>;

  /// How long a rendering is served at most: process_* and the like are of the moment in which it was made, whatever
  /// the sampling interval.
  static constexpr std::chrono::seconds kFreshFor{5};

  explicit RenderedMetrics(MakeFamilies make_families) : make_families_(std::move(make_families)) {}

  /// The metrics of `diagnosis` in the format and encoding that the request's Accept and Accept-Encoding ask for.
  http::HttpResponse Answer(const http::HttpRequest& request, const std::shared_ptr<const Diagnosis>& diagnosis,
                            SteadyClock::time_point now);

 private:
  using Body = std::shared_ptr<const std::string>;
  struct Rendering {
    Body plain;
    Body gzip;  // null until asked for, and where memory was short
  };

  MakeFamilies make_families_;
  std::mutex mutex_;  // held while rendering: who comes meanwhile wants the same
  std::shared_ptr<const Diagnosis> diagnosis_;
  SteadyClock::time_point rendered_at_;
  std::vector<prometheus::MetricFamily> families_;  // one look for both formats: a counter must not differ between them
  std::array<Rendering, 2> renderings_;             // by ExpositionFormat
};

}  // namespace finwait
