#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/situation.h"
#include "exporter/report/statement.h"

namespace finwait::report {

/// The diagnosis in sentences, in the order in which a person needs them.
struct Explanation {
  std::string verdict;  ///< one sentence: how things stand
  std::string cause;    ///< one sentence: why; empty where nothing is wrong
  std::vector<Statement> stuck;
  std::vector<Statement> would_stick;
  std::vector<Statement> owners;  ///< whose the sockets are that are stuck or would be; the worst first
  std::vector<Statement> why;
  /// Whether the timeouts in force are safe, for what was seen.
  std::vector<Statement> timeouts;
  std::vector<Statement> what_to_do;
  /// How many of `what_to_do`, from the front, cannot wait: they belong on the first screen, the first of all first.
  std::size_t urgent = 0;
  std::vector<Statement> will_not_help;
  std::vector<Statement> cannot_see;
};

/// Explains `diagnosis`, of which `situation` is. A pure function.
Explanation Explain(const diagnosis::Diagnosis& diagnosis, const Situation& situation);

}  // namespace finwait::report
