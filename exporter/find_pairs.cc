#include "exporter/find_pairs.h"

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "exporter/exit_code.h"
#include "exporter/pairs/fleet.h"
#include "exporter/pairs/report.h"
#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/privilege/library_files.h"
#include "exporter/privilege/sandbox.h"

namespace finwait::exporter {
namespace {

std::string Shown(const pairs::FleetAnswers& answers, command_line::ReportFormat format) {
  switch (format) {
    case command_line::ReportFormat::kJson:
      return pairs::PairsJson(answers);
    case command_line::ReportFormat::kPrometheus:
      return pairs::PairsMetrics(answers);
    default:
      return pairs::PairsText(answers);
  }
}

// What asking takes: the hosts' names are known by then.
std::vector<std::filesystem::path> ReadFromNowOn(const command_line::Options& options) {
  std::vector<std::filesystem::path> files = {"/proc/self"};
  for (const auto& more : {privilege::LoaderFiles(), privilege::NameLookupFiles(), privilege::TlsFiles()}) {
    files.insert(files.end(), more.begin(), more.end());
  }
  if (!options.ca_file.empty()) {
    files.push_back(options.ca_file);
  }
  return files;
}

}  // namespace

int RunPairs(const command_line::Options& options, std::ostream& out, std::ostream& err) {
  const auto cannot = [&err](const Error& error) {
    err << "finwait_exporter pairs: " << error.message << "\n";
    return kCannotTell;
  };
  // A connection that the other host ends must not end this process.
  (void)std::signal(SIGPIPE, SIG_IGN);
  if (const auto given_up = privilege::GiveUpPrivileges({}); !given_up) {
    return cannot(given_up.error());
  }
  const auto key = pairs::Key::Read(options.pairs_key_file);
  if (!key) {
    return cannot(key.error());
  }
  std::vector<pairs::Target> targets = options.targets;
  if (!options.target_file.empty()) {
    auto more = pairs::ReadTargets(options.target_file);
    if (!more) {
      return cannot(more.error());
    }
    targets.insert(targets.end(), more->begin(), more->end());
  }
  const pairs::Addresses addresses = pairs::Resolve(targets);
  // Where the kernel has no Landlock the filter of system calls is what there is.
  const auto domain = privilege::FileDomain::Enter(ReadFromNowOn(options), privilege::FileDomain::Scope::kClient);
  privilege::FilterCalls(options.filter_calls, {privilege::Role::kClient});
  pairs::FleetSettings settings;
  settings.ca_file = options.ca_file;
  const pairs::FleetAnswers answers = AskFleet(targets, addresses, *key, settings);
  out << Shown(answers, options.report_format);
  if (const std::string refused = privilege::DescribeRefusedCalls(); !refused.empty()) {
    err << "finwait_exporter: its sandbox refused system calls that it should not need (" << refused
        << "); please report this.\n";
  }
  return ExitCode(answers);
}

}  // namespace finwait::exporter
