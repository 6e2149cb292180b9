#include "exporter/service/stage_log.h"

#include <cmath>

namespace finwait::service {
namespace {

std::string_view StageName(const std::optional<diagnosis::Stage>& stage) { return stage ? Name(*stage) : "unknown"; }

// Never 0 for what nobody could read.
LogField Number(std::string_view key, const std::optional<std::uint64_t>& number) {
  return number ? LogField(key, *number) : LogField(key, "unknown");
}

}  // namespace

void StageLog::Report(const report::Report& report, SteadyClock::time_point now) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const std::optional<diagnosis::Stage>& stage = diagnosis.risk.stage;
  judged_ = judged_ || stage.has_value();
  if (!judged_ || stage == stage_ || (logged_at_ && now - *logged_at_ < kApart)) {
    return;
  }
  const bool worse = !stage || *stage > stage_.value_or(diagnosis::Stage::kNone);
  const auto score =
      diagnosis.risk.score ? std::optional<std::uint64_t>(std::lround(*diagnosis.risk.score)) : std::nullopt;
  const auto stuck = diagnosis.stuck ? std::optional<std::uint64_t>(diagnosis.stuck->sockets.size()) : std::nullopt;
  const auto would_stick = diagnosis.live ? std::optional(diagnosis.live->WouldStick()) : std::nullopt;
  const Logger::Fields fields = {
      {"from", StageName(stage_)}, {"to", StageName(stage)},           Number("score", score),
      Number("stuck", stuck),      Number("would_stick", would_stick), {"cause", report.explanation.cause}};
  if (worse) {
    logger_.Warn("stage changed", fields);
  } else {
    logger_.Info("stage changed", fields);
  }
  stage_ = stage;
  logged_at_ = now;
}

}  // namespace finwait::service
