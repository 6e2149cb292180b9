#include "tests/lab/paths.h"

namespace finwait::lab {

// Only this file is compiled with the two paths, so that ccache serves every other one to any checkout.
std::filesystem::path SourceFolder() { return FINWAIT_SOURCE_DIR; }

std::string Program() { return FINWAIT_PROGRAM; }

std::vector<std::string> CheckCommand(const std::vector<std::string>& flags) {
  std::vector<std::string> command = {Program(), "check", kOwnNamespaceOnly};
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

}  // namespace finwait::lab
