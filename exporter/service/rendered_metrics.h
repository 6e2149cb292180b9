#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>

#include "collectors/base/result.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/http/message.h"
#include "exporter/report/latest.h"
#include "exporter/views/exposition.h"

namespace finwait::service {

/// The format that an Accept header prefers; the text format where it names OpenMetrics 1.0.0 not at all or not first.
views::ExpositionFormat NegotiateFormat(std::string_view accept);

/// The answer to scrapes: rendered, and compressed, once for each diagnosis (and once kFreshFor) and served to all who
/// ask for that one, so that many scrapers cost little more than one. What scrapers have asked for lately is rendered
/// before a diagnosis is published, so that they need not wait for it. Thread-safe.
class RenderedMetrics {
 public:
  /// Called by several threads at once.
  using MakeFamilies = std::function<std::vector<prometheus::MetricFamily>(const diagnosis::Diagnosis&)>;

  /// How long a rendering is served at most: process_* and the like are of the moment in which it was made, whatever
  /// the sampling interval. Longer than the default one, so that a rendering lasts until the next.
  static constexpr std::chrono::seconds kFreshFor{7};
  /// How long something is rendered ahead that nobody asks for any more.
  static constexpr std::chrono::minutes kWantedFor{2};

  /// `latest` must outlive this. `start_of` is called by several threads at once.
  RenderedMetrics(MakeFamilies make_families, report::LatestReport& latest, views::StartOfCounter start_of = nullptr)
      : make_families_(std::move(make_families)), start_of_(std::move(start_of)), latest_(latest) {}

  /// Makes `report` the latest one.
  void Publish(std::shared_ptr<const report::Report> report, SteadyClock::time_point now);

  /// The metrics of the latest report, of which there must be one, in the format and encoding that the request's
  /// Accept and Accept-Encoding ask for.
  http::HttpResponse Answer(const httplib::Request& request, SteadyClock::time_point now);

 private:
  using Body = std::shared_ptr<const std::string>;
  /// One format, as it is (0) and compressed (1): null until asked for, and where memory was short.
  using Encodings = std::array<Body, 2>;
  struct Rendering {
    std::shared_ptr<const report::Report> report;
    SteadyClock::time_point made_at;
    // One sample for both formats: a counter must not differ between them.
    std::vector<prometheus::MetricFamily> families;
    std::array<Encodings, 2> bodies;  // by views::ExpositionFormat
  };
  using AskedFor = std::array<std::array<std::optional<SteadyClock::time_point>, 2>, 2>;  // as Rendering::bodies

  Rendering Begin(std::shared_ptr<const report::Report> report, SteadyClock::time_point now) const;
  void Render(Rendering& rendering, views::ExpositionFormat format, bool gzip) const;
  Rendering RenderAhead(const std::shared_ptr<const report::Report>& report, SteadyClock::time_point now);

  MakeFamilies make_families_;
  views::StartOfCounter start_of_;
  report::LatestReport& latest_;
  std::mutex mutex_;  // held while rendering for a scrape: who comes meanwhile wants the same
  Rendering rendering_;
  AskedFor asked_for_;
};

}  // namespace finwait::service
