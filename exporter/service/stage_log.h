#pragma once

#include <chrono>
#include <optional>

#include "exporter/report/report.h"
#include "exporter/service/log.h"

namespace finwait::service {

/// Logs each change of the host's stage, so that a journal alone tells what happened: a warning upwards or when the
/// stage can no longer be told, information on the way down. At most one change in kApart: of a stage that comes and
/// goes faster only what it is by then, if that differs from the last line. `since` says when a line waited for that.
/// The first line after a start is no change, and delays none. Lines name no address. Not thread-safe.
class StageLog {
 public:
  static constexpr std::chrono::seconds kApart{60};
  /// For so long a host whose collectors have all ended may still be without a stage before a line says so.
  static constexpr std::chrono::seconds kStarting{10};

  explicit StageLog(const Logger& logger) : logger_(logger) {}
  void Report(const report::Report& report, SteadyClock::time_point now);

 private:
  bool HasStarted(const diagnosis::Diagnosis& diagnosis, SteadyClock::time_point now);
  void Line(const report::Report& report, bool first) const;

  const Logger& logger_;
  bool started_ = false;  // the first line is written: before that collectors are still starting
  std::optional<SteadyClock::time_point> collected_at_;  // since when every collector has ended once
  std::optional<diagnosis::Stage> stage_;                // of the last line
  std::optional<diagnosis::Stage> newest_;
  scheduling::WallClock::time_point since_;            // that newest_ is so
  std::optional<SteadyClock::time_point> changed_at_;  // of the last line about a change
};

}  // namespace finwait::service
