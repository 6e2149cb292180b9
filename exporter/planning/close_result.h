#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/model/rule_id.h"
#include "exporter/diagnosis/class_survey.h"

namespace finwait::planning {

/// How a connection closes under one ruleset, by values that mean the same once that ruleset is gone.
struct CloseResult {
  diagnosis::Fate fate = diagnosis::Fate::kUnknown;
  std::string consequence;               ///< as `explain --all` says it, without a stop
  std::optional<firewall::RuleId> rule;  ///< the rule, or the policy, that decides; its dialect is not told
  std::string hook;                      ///< where; empty where no hook decides
  std::string text;                      ///< of the rule as its own tool prints it; empty for a policy
  auto operator<=>(const CloseResult&) const = default;
};

/// The result that `outcome` is. `evaluator`: that has it from the same rules.
CloseResult CloseResultOf(const diagnosis::ClassOutcome& outcome, diagnosis::CloseEvaluator& evaluator);

/// Whether both rulesets end it alike: the same fate, by a rule of the same text in the same chain. Handles, positions
/// and counters are another ruleset's.
bool SameResult(const CloseResult& a, const CloseResult& b);

/// Whether it is unknown for no other reason than that nobody can tell whether, or to what, the connection is
/// translated. What that hangs on is for the connections of both rulesets alike. Any other unknown (chance, a limit, a
/// mark, an ipset) says no values, and the same words may stand for a rule that loses more.
bool HangsOnTranslation(const CloseResult& close);

/// How a candidate ruleset changes what becomes of a connection.
enum class Change {
  kNone,         ///< or unknown under either, as HangsOnTranslation(), for the same reason
  kNewlyLost,    ///< it would stick, or leave its peer stuck, and does not now, or only if the peer closes first
  kNewlyCloses,  ///< the other way round
  kOtherwise,    ///< it is lost now and not helped, but fares otherwise: another rule, another packet
  kNotKnowable,  ///< whether it would newly be lost cannot be known
};
inline constexpr Change kChanges[] = {Change::kNewlyLost, Change::kNewlyCloses, Change::kOtherwise,
                                      Change::kNotKnowable};

Change ChangeBetween(const CloseResult& now, const CloseResult& then);

}  // namespace finwait::planning
