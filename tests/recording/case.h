#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

/// tests/cases: each case is a folder, tests/cases/GROUP/NAME. `load.sh` makes the rules; the other files say what
/// followed, and are written by the kernel tests when FINWAIT_RECORD=1 is set. tests/cases/README.md names them all.
namespace finwait::recording {

class Case {
 public:
  explicit Case(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::string Name() const { return folder_.filename().string(); }
  const std::filesystem::path& Folder() const { return folder_; }
  /// The script that loads the case's rules, for `sh -e` inside a namespace.
  std::string LoadScript() const;

  /// A file of the folder; nothing where it is not there.
  std::optional<std::string> Read(const std::string& file) const;
  /// The same for a file that has to be there: throws std::runtime_error, with what to do.
  std::string Require(const std::string& file) const;
  void Write(const std::string& file, const std::string& text) const;

  /// For gtest's messages and names.
  friend void PrintTo(const Case& one, std::ostream* out) { *out << one.Name(); }

 private:
  std::filesystem::path folder_;
};

/// All cases of a group in the order of their names; at least one, or it throws.
std::vector<Case> CasesOf(const std::string& group);
Case FindCase(const std::string& group, const std::string& name);

/// What the tools that loaded the cases say of their versions.
std::string RecordedTools();

/// Whether this run is to write recordings (FINWAIT_RECORD=1) instead of holding them against the kernel.
bool IsRecording();

}  // namespace finwait::recording
