#pragma once

#include <string>

namespace finwait::report {

/// One statement of a report, in sentences, and the part of it that names addresses or rules' text, which HTTP shows
/// only with --report.details.
struct Statement {
  std::string text;
  std::string detail = {};
  std::string command = {};  ///< advice: what to type in a shell, as root; may be empty
  std::string id = {};       ///< advice: which piece it is, the same from version to version (docs/report.md)
};

}  // namespace finwait::report
