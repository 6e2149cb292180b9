#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace finwait::diagnosis {

/// How far things have gone: the label `stage`. Each is the furthest thing that is true now.
enum class Stage {
  kNone,     ///< no live or future connection would stick
  kLatent,   ///< a path that drops closing packets exists, or may, and no live socket would stick if closed now
  kExposed,  ///< at least one live socket would
  kFailing,  ///< proven: it happens, or has within the last 5 minutes
};
inline constexpr Stage kStages[] = {Stage::kNone, Stage::kLatent, Stage::kExposed, Stage::kFailing};
std::string_view Name(Stage stage);

/// What is known when the stage is assessed. Whatever is nothing could not be read.
struct RiskInputs {
  /// A drop path or NAT exists for the representative connection or for some live socket.
  std::optional<bool> drop_path;
  /// Where `drop_path` is nothing: all could be read, and what rules do hangs on chance or on what other programs do.
  bool drop_path_unknowable = false;
  std::optional<std::uint64_t> live_sockets;      ///< tracked or not, in ESTABLISHED or CLOSE_WAIT
  std::optional<std::uint64_t> expiring_sockets;  ///< will lose their entry before a keepalive is due
  std::optional<std::uint64_t> at_risk_sockets;   ///< would stick if closed now
  /// Stuck now with a cause that proves a failure.
  std::uint64_t stuck_sockets = 0;
  /// Closes proven lost within kEvidenceHold: sockets that got stuck so, gone by now or not, and resets that left none.
  std::uint64_t lost_closes = 0;
  std::chrono::duration<double> oldest_stuck{0};
  bool evidence_within_hold = false;  ///< the last proven failure is less than kEvidenceHold ago
  bool failure_observable = true;     ///< stuck sockets could be read
  /// Stuck now for a reason that cannot be told: may be what tells failing from less, and takes nothing away that is
  /// known.
  std::uint64_t undetermined_stuck = 0;
};

/// How long the stage stays failing after the last evidence.
inline constexpr std::chrono::minutes kEvidenceHold{5};

/// 0 to 1 each: finwait_risk_factor. Nothing where its input is missing.
struct RiskFactors {
  std::optional<double> expiring_share;
  std::optional<double> at_risk_share;
  std::optional<double> at_risk_count;
  std::optional<double> stuck_count;
  std::optional<double> stuck_age;
  std::optional<double> lost_count;
};

struct Risk {
  std::optional<Stage> stage;   ///< nothing: cannot tell
  std::optional<double> score;  ///< 0 to 100, inside the stage's band
  RiskFactors factors;
};

/// The stage and the score, as docs/risk.md writes them down. A pure function.
Risk AssessRisk(const RiskInputs& inputs);

}  // namespace finwait::diagnosis
