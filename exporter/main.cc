#include <iostream>
#include <span>
#include <string>

#include "exporter/check.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/command_line/options.h"
#include "exporter/explain.h"
#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/serve.h"
#include "exporter/service/memory_policy.h"

namespace {

// 2 is a start that cannot succeed; `check` and `explain` keep 2 for a verdict and say 3.
int UsageExitCode(finwait::command_line::Command command) {
  return command == finwait::command_line::Command::kCheck || command == finwait::command_line::Command::kExplain ? 3
                                                                                                                  : 2;
}

// Runs a command that looks once, in the sandbox.
int Confined(const finwait::command_line::Options& options, finwait::privilege::KeptCapabilities kept,
             int (*run)(const finwait::command_line::Options&, std::ostream& out, std::ostream& err)) {
  if (const auto given_up = finwait::privilege::GiveUpPrivileges(kept); !given_up) {
    std::cerr << "finwait_exporter: " << given_up.error().message << "\n";
    return UsageExitCode(options.command);
  }
  finwait::privilege::FilterCalls({.wanted = options.filter_calls});
  const int exit_code = run(options, std::cout, std::cerr);
  if (const std::string refused = finwait::privilege::DescribeRefusedCalls(); !refused.empty()) {
    std::cerr << "finwait_exporter: its sandbox refused system calls that it should not need (" << refused
              << "); please report this.\n";
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  using finwait::command_line::Command;
  finwait::service::ConfigureAllocator();
  const auto switches = finwait::command_line::CollectorSwitches();
  const auto options =
      finwait::command_line::ParseOptions(std::span<const char* const>(argv, static_cast<std::size_t>(argc)), switches);
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
      return Confined(*options,
                      {finwait::command_line::NeedNetAdmin(*options), finwait::command_line::NeedSysPtrace(*options)},
                      finwait::exporter::RunCheck);
    case Command::kExplain:
      return Confined(*options, {.net_admin = true}, finwait::exporter::RunExplain);
    case Command::kServe:
      return finwait::exporter::RunServe(*options, finwait::service::Logger(options->log_level, options->log_format));
  }
  return 2;
}
