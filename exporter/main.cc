#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "collectors/kernel/host.h"
#include "exporter/bpf_inventory.h"
#include "exporter/check.h"
#include "exporter/child_output.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/command_line/options.h"
#include "exporter/confinement.h"
#include "exporter/early_threads.h"
#include "exporter/explain.h"
#include "exporter/explain_all.h"
#include "exporter/explain_netns.h"
#include "exporter/find_pairs.h"
#include "exporter/history.h"
#include "exporter/http/passed_sockets.h"
#include "exporter/live_report.h"
#include "exporter/netns.h"
#include "exporter/opener_process.h"
#include "exporter/plan.h"
#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/re_execution.h"
#include "exporter/serve.h"
#include "exporter/service/lack_of_resources.h"
#include "exporter/service/memory_policy.h"
#include "exporter/service/service_signals.h"
#include "exporter/socket_there.h"

namespace {

// 2 is a start that cannot succeed; the commands that end with a verdict say 3.
int UsageExitCode(finwait::command_line::Command command) {
  using finwait::command_line::Command;
  return command == Command::kCheck || command == Command::kExplain || command == Command::kPlan ||
                 command == Command::kPairs
             ? 3
             : 2;
}

using Adopt = decltype(finwait::exporter::Confinement::adopt);

// Runs a command that collects once, in the reader's sandbox. `opener`: the channel to one, where there is one; `adopt`
// gets the confinement's.
template <typename Command>
int Confined(const finwait::command_line::Options& options, finwait::privilege::KeptCapabilities kept, Command run,
             std::optional<int> opener = std::nullopt, Adopt* adopt = nullptr) {
  auto host = finwait::kernel::OpenHost(options.procfs);
  finwait::Result<finwait::exporter::Confinement> confinement;  // stays until the command has run
  if (host) {
    host->bpf = finwait::exporter::ReadBpfInventory(*host);
    confinement = finwait::exporter::Confine(options, kept, std::nullopt, opener, *host);
    if (!confinement) {
      std::cerr << "finwait_exporter: " << confinement.error().message << "\n";
      return UsageExitCode(options.command);
    }
    if (adopt != nullptr) {
      *adopt = confinement->adopt;
    }
  } else {
    finwait::privilege::FilterCalls(options.filter_calls, {finwait::privilege::Role::kReader});
  }
  const int exit_code = run(options, host, std::cout, std::cerr);
  if (const std::string refused = finwait::privilege::DescribeRefusedCalls(); !refused.empty()) {
    std::cerr << "finwait_exporter: its sandbox refused system calls that it should not need (" << refused
              << "); please report this.\n";
  }
  return exit_code;
}

// Runs it in the namespace of --netns. `look_before`: what is to be done here, before that one is entered.
template <typename Before, typename Command>
int ConfinedInNetns(const finwait::command_line::Options& options, finwait::privilege::KeptCapabilities kept,
                    Before look_before, Command run) {
  auto found = finwait::exporter::FindNetns(options);
  finwait::Result<void> entered;
  if (found && *found) {
    look_before(**found);
    entered = finwait::kernel::namespaces::EnterNamespace(**found);
  }
  if (!found || !entered) {
    return run(options, finwait::Failure(found ? entered.error() : found.error()), std::cout, std::cerr);
  }
  found = std::nullopt;  // the sandbox has no use for its file
  return Confined(options, kept, run);
}

int Check(const finwait::command_line::Options& options) {
  const finwait::privilege::KeptCapabilities kept = {.net_admin = finwait::command_line::NeedNetAdmin(options)};
  if (!options.netns.empty()) {
    return ConfinedInNetns(
        options, kept, [](const auto&) {},
        [](const auto& of, const finwait::Result<finwait::kernel::Host>& host, std::ostream& out, std::ostream& err) {
          return finwait::exporter::RunCheck(of, host, out, err);
        });
  }
  auto opener = finwait::exporter::OpenerProcess::Start(options);
  Adopt adopt;
  return Confined(
      options, kept,
      [&](const auto& of, const finwait::Result<finwait::kernel::Host>& host, std::ostream& out, std::ostream& err) {
        auto settings = finwait::command_line::SettingsOf(of);
        opener.GiveTo(settings.namespaces, adopt);
        return finwait::exporter::RunCheck(of, settings, host, out, err);
      },
      opener.Descriptor(), &adopt);
}

// What the socket of another namespace tells there, to a process of its own in the same sandbox.
std::optional<finwait::exporter::SocketThere> AskThere(const finwait::command_line::Options& options,
                                                       finwait::privilege::KeptCapabilities kept,
                                                       const finwait::kernel::namespaces::NamedNamespace& where) {
  int refused = 0;
  const auto written = finwait::exporter::OutputOfChild(
      [&](std::ostream& out) {
        if (!finwait::kernel::namespaces::EnterNamespace(where)) {
          return 0;
        }
        return Confined(options, kept, [&](const auto& of, const auto& host, std::ostream&, std::ostream&) {
          return finwait::exporter::WriteSocketThere(of, host, out);
        });
      },
      &refused);
  return written && refused == 0 ? finwait::exporter::DecodeSocketThere(*written) : std::nullopt;
}

// What this host does on the way to another namespace is found out by a process of its own, in the same sandbox.
int Explain(const finwait::command_line::Options& options) {
  constexpr finwait::privilege::KeptCapabilities kKept = {.net_admin = true};
  std::optional<finwait::views::HostHop> hop;
  std::string where;
  const auto look_before = [&](const finwait::kernel::namespaces::NamedNamespace& found) {
    where = found.text;
    hop.emplace();
    if (options.explain_all) {
      return;
    }
    const auto socket = AskThere(options, kKept, found);
    int refused = 0;
    const auto written = finwait::exporter::OutputOfChild(
        [&](std::ostream& out) {
          return Confined(options, kKept, [&](const auto& of, const auto& host, std::ostream&, std::ostream& err) {
            return finwait::exporter::WriteHostHop(of, found.file.Get(), socket, host, out, err);
          });
        },
        &refused);
    if (!written || refused != 0 || !written->empty()) {
      hop = finwait::views::DecodeHop(written.value_or(""));
    }
  };
  return ConfinedInNetns(
      options, kKept, look_before,
      [&](const auto& of, const finwait::Result<finwait::kernel::Host>& host, std::ostream& out, std::ostream& err) {
        return of.explain_all ? finwait::exporter::RunExplainAll(of, host, out, err)
               : hop          ? finwait::exporter::RunExplainNetns(of, *hop, where, host, out, err)
                              : finwait::exporter::RunExplain(of, host, out, err);
      });
}

// The live host is read by a process of its own, in the host's namespace and in the same sandbox. A report's file is
// read before the sandbox, which has no other files than the kernel's.
int Plan(const finwait::command_line::Options& options) {
  constexpr finwait::privilege::KeptCapabilities kKept = {.net_admin = true};
  finwait::Result<std::string> report;
  if (options.against == "live") {
    report = finwait::exporter::ReadLiveReport([&](std::ostream& out) {
      finwait::command_line::Options check = options;
      check.report_format = finwait::command_line::ReportFormat::kJson;
      return Confined(check, kKept, [&](const auto& of, const auto& host, std::ostream&, std::ostream& err) {
        return finwait::exporter::RunCheck(of, host, out, err);
      });
    });
    if (!report) {
      std::cerr << "finwait_exporter plan: " << report.error().message << "\n";
      return UsageExitCode(options.command);
    }
  } else {
    report = finwait::exporter::ReadReportFile(options);
  }
  return Confined(options, kKept, [&](const auto& of, const auto& host, std::ostream& out, std::ostream& err) {
    return finwait::exporter::RunPlan(of, report, host, out, err);
  });
}

int Run(std::span<const char* const> arguments, finwait::command_line::Command& command) {
  using finwait::command_line::Command;
  finwait::service::ConfigureAllocator();
  const auto switches = finwait::command_line::CollectorSwitches();
  const auto options = finwait::command_line::ParseOptions(arguments, switches);
  if (!options) {
    std::cerr << "finwait_exporter: " << options.error().message << "\n";
    return UsageExitCode(options.error().command);
  }
  command = options->command;
  finwait::exporter::ConfineEarlyThreads(*options);
  if (command != Command::kServe) {
    finwait::service::LetSignalsThrough();
  }
  switch (options->command) {
    case Command::kHelp:
    case Command::kVersion:
      std::cout << options->text;
      return 0;
    case Command::kCheck:
      if (options->since) {
        return finwait::exporter::RunHistory(*options, std::cout, std::cerr);
      }
      return Check(*options);
    case Command::kExplain:
      return Explain(*options);
    case Command::kPlan:
      return Plan(*options);
    case Command::kPairs:
      return finwait::exporter::RunPairs(*options, std::cout, std::cerr);
    case Command::kServe:
      finwait::service::EndWhereResourcesLack();
      return finwait::exporter::RunServe(*options, finwait::service::Logger(options->log_level, options->log_format));
  }
  return 2;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which are not ready for any call that early
// Before all initialisers, of libraries too: the dynamic loader calls it as soon as it has loaded them.
void HoldSignalsAtOnce(int, char**, char**) { finwait::service::HoldSignals(); }
[[gnu::section(".preinit_array"), gnu::used]] void (*const kFirst)(int, char**, char**) = HoldSignalsAtOnce;
#endif

}  // namespace

int main(int argc, char** argv) {
  finwait::service::HoldSignals();
  const auto passed = finwait::http::PassedDescriptors([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  auto command = finwait::command_line::Command::kServe;
  try {
    if (const auto given_up = finwait::privilege::GiveUpInheritance(passed, finwait::exporter::ChannelFromBefore());
        !given_up) {
      std::cerr << "finwait_exporter: " << given_up.error().message << "\n";
      return 2;
    }
    return Run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)), command);
  } catch (const std::exception& error) {
    // A start without the resources that it takes is a sentence, not a core file.
    finwait::service::DescribeEnd(error);
    return UsageExitCode(command);
  }
}
