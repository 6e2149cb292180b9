#include "exporter/check.h"

#include "collectors/firewall/read/fact_resolver.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/report/report.h"
#include "exporter/scheduling/sampler.h"
#include "exporter/views/json.h"
#include "exporter/views/text.h"

namespace finwait::exporter {
namespace {

constexpr int kCannotTell = 3;

int ExitCode(const diagnosis::Risk& risk) {
  if (!risk.stage) {
    return kCannotTell;
  }
  switch (*risk.stage) {
    case diagnosis::Stage::kNone:
    case diagnosis::Stage::kLatent:
      return 0;
    case diagnosis::Stage::kExposed:
      return 1;
    case diagnosis::Stage::kFailing:
      return 2;
  }
  return kCannotTell;
}

}  // namespace

int RunCheck(const command_line::Options& options, std::ostream& out, std::ostream& err) {
  const auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    err << "finwait_exporter check: " << host.error().message << "\n";
    return kCannotTell;
  }
  constexpr auto kCollectTimeout = std::chrono::seconds(30);
  const auto snapshot =
      CollectOnce(host->network_namespace, MakeCollectors(options, SettingsOf(options), *host), kCollectTimeout);
  diagnosis::Diagnostician diagnostician(std::make_shared<firewall::read::FactResolver>(*host), {},
                                         options.path_timeouts);
  if (!options.owner_names) {
    diagnostician.HideOwnerNames();
  }
  const auto report =
      report::MakeReport(diagnostician.Diagnose(snapshot, SteadyClock::now(), scheduling::WallClock::now()));
  out << (options.report_format == command_line::ReportFormat::kJson ? ReportJson(*report, views::Details::kShow)
                                                                     : views::ReportText(*report));
  return ExitCode(report->diagnosis->risk);
}

}  // namespace finwait::exporter
