#include "exporter/check.h"

#include "collectors/firewall/read/fact_resolver.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/exit_code.h"
#include "exporter/host_report.h"
#include "exporter/report/report.h"
#include "exporter/resolvers_inside.h"
#include "exporter/scheduling/sampler.h"
#include "exporter/views/bug_report.h"
#include "exporter/views/exposition.h"
#include "exporter/views/json.h"
#include "exporter/views/metrics/one_sample.h"
#include "exporter/views/nagios.h"
#include "exporter/views/text.h"

namespace finwait::exporter {
namespace {

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

std::string Shown(const report::Report& report, command_line::ReportFormat format, const kernel::Host& host) {
  using command_line::ReportFormat;
  switch (format) {
    case ReportFormat::kText:
      return views::ReportText(report);
    case ReportFormat::kJson:
      return views::ReportJson(report, ReadHostReport(host, *report.diagnosis->snapshot));
    case ReportFormat::kPrometheus:
      return RenderFamilies(views::metrics::OneSampleFamilies(*report.diagnosis), views::ExpositionFormat::kText);
    case ReportFormat::kNagios:
      return views::NagiosLine(report);
    case ReportFormat::kBug:
      return views::BugReport(report, views::RunningKernel());
  }
  return "";
}

}  // namespace

int RunCheck(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out,
             std::ostream& err) {
  return RunCheck(options, SettingsOf(options), host, out, err);
}

int RunCheck(const command_line::Options& options, const sources::CollectorSettings& settings,
             const Result<kernel::Host>& host, std::ostream& out, std::ostream& err) {
  if (!host) {
    if (options.report_format == command_line::ReportFormat::kNagios) {
      out << views::NagiosUnknown(host.error().message);  // who runs plugins reads their standard output only
    } else {
      err << "finwait_exporter check: " << host.error().message << "\n";
    }
    return kCannotTell;
  }
  constexpr auto kCollectTimeout = std::chrono::seconds(30);
  const auto snapshot = CollectOnce(host->network_namespace, MakeCollectors(options, settings, *host), kCollectTimeout);
  diagnosis::Diagnostician diagnostician(std::make_shared<firewall::read::FactResolver>(*host), {},
                                         options.path_timeouts);
  diagnostician.ResolveInside(ResolversInside(settings.namespaces));
  if (!options.owner_names) {
    diagnostician.HideOwnerNames();
  }
  const auto report =
      report::MakeReport(diagnostician.Diagnose(snapshot, SteadyClock::now(), scheduling::WallClock::now()),
                         options.netns.empty() ? report::Scope::kHost : report::Scope::kOneNamespace);
  out << Shown(*report, options.report_format, *host);
  return ExitCode(report->diagnosis->risk);
}

}  // namespace finwait::exporter
