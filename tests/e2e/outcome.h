#pragma once

#include <exception>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/program.h"

/// What became of one scenario of the risk matrix, in the long form and in the short ones.
namespace finwait::e2e {

struct Outcome {
  std::string name;
  std::string fate;  ///< that was told before the end; several, where connections differ
  std::string stage_before;
  std::string stage_after;
  double score_before = -1;
  int at_risk = 0;
  int open = 0;
  int lost = 0;                       ///< closes of which one end or the other never learnt
  std::string causes;                 ///< of the sockets stuck at the end: "local_drop 4"
  std::map<std::string, int> grades;  ///< "fin_dropped as_foretold" and the like, of the service's predictions
  std::string complaint;              ///< what was not as predicted; empty when all was

  void Complain(const std::string& what) { complaint += (complaint.empty() ? "" : "; ") + what; }
  /// How many predictions came to that: as_foretold, otherwise, unseen; "" for all.
  int Graded(const std::string& what = "") const;
  std::string GradesText() const;
};

/// What `play()` comes to; of a scenario that could not be played, why not. Never throws.
template <typename Play>
Outcome PlayedOr(const std::string& name, Play play) {
  try {
    return play();
  } catch (const std::exception& error) {
    Outcome outcome;
    outcome.name = name;
    outcome.complaint = error.what();
    return outcome;
  }
}

/// The service's own grading of its predictions: finwait_prediction_outcomes_total, without the zeros.
std::map<std::string, int> GradesOf(const Program& program);

/// Appends rows to the file that FINWAIT_RISK_MATRIX_TABLE names, for tools/risk_matrix.sh.
void Record(const std::string& kind, const std::vector<Outcome>& outcomes);

}  // namespace finwait::e2e
