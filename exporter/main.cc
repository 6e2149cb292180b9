#include <iostream>
#include <span>

#include "exporter/check.h"
#include "exporter/enabled_collectors.h"
#include "exporter/explain.h"
#include "exporter/memory_policy.h"
#include "exporter/options.h"
#include "exporter/serve.h"

namespace {

// 2 is a start that cannot succeed; `check` and `explain` keep 2 for a verdict and say 3.
int UsageExitCode(finwait::Command command) {
  return command == finwait::Command::kCheck || command == finwait::Command::kExplain ? 3 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  using finwait::Command;
  finwait::ReturnFreedMemory();
  const auto switches = finwait::CollectorSwitches();
  const auto options =
      finwait::ParseOptions(std::span<const char* const>(argv, static_cast<std::size_t>(argc)), switches);
  if (!options) {
    std::cerr << "finwait_exporter: " << options.error().message << "\n";
    return UsageExitCode(options.error().command);
  }
  switch (options->command) {
    case Command::kHelp:
    case Command::kVersion:
      std::cout << options->text;
      return 0;
    case Command::kCheck:
      return finwait::RunCheck(*options, std::cout, std::cerr);
    case Command::kExplain:
      return finwait::RunExplain(*options, std::cout, std::cerr);
    case Command::kServe:
      return finwait::RunServe(*options, finwait::Logger(options->log_level, options->log_format));
  }
  return 2;
}
