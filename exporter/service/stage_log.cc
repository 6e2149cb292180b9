#include "exporter/service/stage_log.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "exporter/views/wall_time.h"

namespace finwait::service {
namespace {

std::string_view StageName(const std::optional<diagnosis::Stage>& stage) { return stage ? Name(*stage) : "unknown"; }

// Never 0 for what nobody could read.
LogField Number(std::string_view key, const std::optional<std::uint64_t>& number) {
  return number ? LogField(key, *number) : LogField(key, "unknown");
}

}  // namespace

bool StageLog::HasStarted(const diagnosis::Diagnosis& diagnosis, SteadyClock::time_point now) {
  if (diagnosis.risk.stage) {
    return true;
  }
  const auto& collectors = diagnosis.snapshot->collectors;
  if (!collected_at_ && std::all_of(collectors.begin(), collectors.end(),
                                    [](const scheduling::CollectorStatus& status) { return status.collected; })) {
    collected_at_ = now;
  }
  return collected_at_ && now - *collected_at_ >= kStarting;
}

void StageLog::Report(const report::Report& report, SteadyClock::time_point now) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const std::optional<diagnosis::Stage>& stage = diagnosis.risk.stage;
  if (!started_) {
    if (HasStarted(diagnosis, now)) {
      started_ = true;
      stage_ = newest_ = stage;
      since_ = diagnosis.at;
      Line(report, true);
    }
    return;
  }
  if (stage != newest_) {
    newest_ = stage;
    since_ = diagnosis.at;
  }
  if (stage != stage_ && (!changed_at_ || now - *changed_at_ >= kApart)) {
    Line(report, false);
    stage_ = stage;
    changed_at_ = now;
  }
}

void StageLog::Line(const report::Report& report, bool first) const {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const std::optional<diagnosis::Stage>& stage = diagnosis.risk.stage;
  const bool worse = !stage || *stage > (first ? diagnosis::Stage::kNone : stage_.value_or(diagnosis::Stage::kNone));
  const auto score =
      diagnosis.risk.score ? std::optional<std::uint64_t>(std::lround(*diagnosis.risk.score)) : std::nullopt;
  const auto stuck = diagnosis.stuck ? std::optional<std::uint64_t>(diagnosis.stuck->sockets.size()) : std::nullopt;
  const auto would_stick = diagnosis.live ? std::optional(diagnosis.live->WouldStick()) : std::nullopt;
  const Logger::Fields fields = {{"from", first ? std::string_view("start") : StageName(stage_)},
                                 {"to", StageName(stage)},
                                 {"since", views::Rfc3339(since_)},
                                 Number("score", score),
                                 Number("stuck", stuck),
                                 Number("would_stick", would_stick),
                                 {"cause", report.explanation.cause}};
  if (!stage && first) {
    logger_.Warn("stage unknown", fields);
  } else if (worse) {
    logger_.Warn("stage changed", fields);
  } else {
    logger_.Info("stage changed", fields);
  }
}

}  // namespace finwait::service
