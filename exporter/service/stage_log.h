#pragma once

#include <chrono>
#include <optional>

#include "exporter/report/report.h"
#include "exporter/service/log.h"

namespace finwait::service {

/// Logs each change of the host's stage, so that a journal alone tells what happened: a warning upwards or when the
/// stage can no longer be told, information on the way down. At most one line in kApart: of a stage that comes and goes
/// faster only what it is by then, if that differs from the last line. Lines name no address. Not thread-safe.
class StageLog {
 public:
  static constexpr std::chrono::seconds kApart{60};

  explicit StageLog(const Logger& logger) : logger_(logger) {}
  void Report(const report::Report& report, SteadyClock::time_point now);

 private:
  const Logger& logger_;
  bool judged_ = false;                    // a stage has been told once: before that collectors are still starting
  std::optional<diagnosis::Stage> stage_;  // of the last line
  std::optional<SteadyClock::time_point> logged_at_;
};

}  // namespace finwait::service
