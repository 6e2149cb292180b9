#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {

void AppendRisk(const diagnosis::Diagnosis& diagnosis, Families& families) {
  const diagnosis::Risk& risk = diagnosis.risk;
  if (risk.score) {
    Family::Gauge(
        "risk_score",
        "How likely closes of this host's connections get lost: 0 none, 1-39 latent, 40-69 exposed, 70-100 failing. "
        "Absent when that cannot be told.")
        .Add({}, *risk.score)
        .AppendTo(families);
  }
  if (risk.stage) {
    Family stages = Family::Gauge("risk_stage", "1 for the stage this host is in, 0 for the others.");
    for (const diagnosis::Stage stage : diagnosis::kStages) {
      stages.Add({{"stage", Name(stage)}}, *risk.stage == stage ? 1 : 0);
    }
    stages.AppendTo(families);
  }
  Family factors =
      Family::Gauge("risk_factor", "What the score is made of, 0 to 1 each; docs/risk.md has the formula.");
  const struct {
    std::string_view name;
    const std::optional<double>& value;
  } rows[] = {{"expiring_share", risk.factors.expiring_share}, {"at_risk_share", risk.factors.at_risk_share},
              {"at_risk_count", risk.factors.at_risk_count},   {"stuck_count", risk.factors.stuck_count},
              {"stuck_age", risk.factors.stuck_age},           {"lost_count", risk.factors.lost_count}};
  for (const auto& row : rows) {
    if (row.value) {
      factors.Add({{"factor", row.name}}, *row.value);
    }
  }
  factors.AppendTo(families);

  double evidence = 0;
  if (diagnosis.last_evidence) {
    evidence = std::chrono::duration<double>(diagnosis.last_evidence->time_since_epoch()).count();
  }
  Family::Gauge("risk_last_evidence_timestamp_seconds",
                "Unix time of the last proven failure; 0 before the first since this process started.")
      .Add({}, evidence)
      .AppendTo(families);
}

}  // namespace finwait::views::metrics
