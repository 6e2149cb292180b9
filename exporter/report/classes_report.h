#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "collectors/firewall/model/rule_id.h"
#include "exporter/diagnosis/class_survey.h"
#include "exporter/report/close_report.h"

namespace finwait::report {

/// What `explain --all` says of one class.
struct ClassReport {
  IpFamily family = IpFamily::kIpv4;
  diagnosis::SurveyedClass surveyed;
  std::string connections;             ///< which they are, in words
  std::optional<PacketReport> packet;  ///< the one that is lost, and where
  std::string consequence;             ///< what becomes of them, without a stop
};

/// A rule that no packet of a close without an entry comes to.
struct UnreachedRule {
  firewall::RuleId rule;
  std::string text;
};

/// What `explain --all` says.
struct ClassesReport {
  std::vector<ClassReport> classes;  ///< what does not close first
  std::vector<UnreachedRule> unreached;
  std::vector<std::string> incomplete;  ///< what was not told apart; empty: all was
  std::size_t sockets_of_no_class = 0;

  bool AllClean() const;
  /// Some connections would not close, for certain.
  bool SomeNotClean() const;
};

/// What becomes of connections of that outcome, without a stop: "FIN dropped at output by ...".
std::string ConsequenceOf(const diagnosis::ClassOutcome& outcome);
/// The packet that is lost. `outcome`: of one that is; `evaluator`: that has it from the same rules.
PacketReport PacketOf(const diagnosis::ClassOutcome& outcome, diagnosis::PacketEvaluator& evaluator);

/// What `explain` must be told of the example beside its ends, because no socket shows it: "--opened-by=peer",
/// "--user=1000". Nothing where the class does not hang on it, or a socket is the example.
std::vector<std::string> ExampleFlags(const diagnosis::SurveyedClass& surveyed);

/// `spaces`: that `surveys` divided, in the same order.
ClassesReport ReportClasses(std::vector<diagnosis::FamilySurvey> surveys,
                            std::span<const diagnosis::ConnectionSpace> spaces,
                            const std::vector<firewall::RuleId>& unreached, diagnosis::PacketEvaluator& evaluator);

}  // namespace finwait::report
