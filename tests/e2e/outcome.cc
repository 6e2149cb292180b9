#include "tests/e2e/outcome.h"

#include <cstdlib>
#include <fstream>
#include <regex>

namespace finwait::e2e {

int Outcome::Graded(const std::string& what) const {
  int all = 0;
  for (const auto& [grade, number] : grades) {
    all += grade.ends_with(what) ? number : 0;
  }
  return all;
}

std::string Outcome::GradesText() const {
  std::string text;
  for (const auto& [grade, number] : grades) {
    text += (text.empty() ? "" : ", ") + grade + " " + std::to_string(number);
  }
  return text;
}

std::map<std::string, int> GradesOf(const Program& program) {
  static const std::regex series("finwait_prediction_outcomes_total\\{fate=\"(.*)\",outcome=\"(.*)\"\\}");
  std::map<std::string, int> grades;
  for (const auto& [name, value] : program.Scrape()) {
    std::smatch match;
    if (value > 0 && std::regex_match(name, match, series)) {
      grades[match[1].str() + " " + match[2].str()] = static_cast<int>(value);
    }
  }
  return grades;
}

void Record(const std::string& kind, const std::vector<Outcome>& outcomes) {
  const char* path = std::getenv("FINWAIT_RISK_MATRIX_TABLE");
  if (path == nullptr) {
    return;
  }
  std::ofstream file(path, std::ios::app);
  const auto text = [](const std::string& one) { return one.empty() ? "none" : one; };
  for (const Outcome& one : outcomes) {
    file << "| " << kind << " | " << one.name << " | " << text(one.fate) << " | " << text(one.stage_before) << " | "
         << one.score_before << " | " << one.at_risk << " of " << one.open << " | " << one.lost << " of " << one.open
         << " | " << text(one.causes) << " | " << text(one.stage_after) << " | " << text(one.GradesText()) << " | "
         << (one.complaint.empty() ? "yes" : "**no**") << " |\n";
  }
}

}  // namespace finwait::e2e
