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
  /// `command` without what is a rule's text, for those who may not see it: it is for more connections. Empty:
  /// `command` holds no such text.
  std::string plain_command = {};

  /// What goes with that command: where it does more than `text` promises, this says so.
  std::string Text(bool show_details) const {
    return show_details || plain_command.empty()
               ? text
               : text +
                     " This command lets also those of later rules there finish; `finwait_exporter check` on the "
                     "host gives the exact one.";
  }

  const std::string& Command(bool show_details) const {
    return show_details || plain_command.empty() ? command : plain_command;
  }
};

}  // namespace finwait::report
