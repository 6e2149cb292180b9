#pragma once

#include <memory>
#include <string>

#include "tests/lab/namespace.h"
#include "tests/recording/case.h"
#include "tests/recording/kernel_recording.h"
#include "tests/recording/rule_source.h"

namespace finwait::recording {

/// Files of a case that say what followed of its rules.
inline constexpr const char* kKernelFile = "kernel.txt";
inline constexpr const char* kPrintedFile = "printed.txt";
inline constexpr const char* kOtherwiseFile = "otherwise.txt";

/// The rules of a namespace while they are there: what the kernel says of them and what their tools print.
class RulesRecord {
 public:
  /// Reads them all, chains of nat and chains that nothing leads to included.
  explicit RulesRecord(const lab::Namespace& where);

  const std::string& Printed() const { return printed_; }
  const std::shared_ptr<KernelRecording>& Recording() const { return recording_; }
  /// The rules as they were read; more may be asked, by a thread that is in the namespace.
  const firewall::Ruleset& GetRuleset() const { return *ruleset_; }
  firewall::facts::Resolver& Facts() { return source_->Facts(); }

  /// Whether the namespace's tools are of the versions that recordings are of (tests/cases/tools.txt). Others load and
  /// list the same rules in other words.
  bool HasRecordedTools() const { return has_recorded_tools_; }
  /// In what the case's folder is not true any more; empty where it is. Handles, counters and times do not matter.
  std::string Compare(const Case& one) const;
  /// Writes the folder's files where they are not true any more, or the kernel's in any case.
  void Write(const Case& one, bool in_any_case = false) const;
  /// Writes when this run is to record, else compares.
  std::string WriteOrCompare(const Case& one) const;

 private:
  std::string printed_;
  bool has_recorded_tools_ = false;
  std::shared_ptr<KernelRecording> recording_ = std::make_shared<KernelRecording>();
  std::unique_ptr<RuleSource> source_;
  std::shared_ptr<const firewall::Ruleset> ruleset_;
};

}  // namespace finwait::recording
