#include "exporter/check.h"

#include "exporter/diagnosis/diagnostician.h"
#include "exporter/enabled_collectors.h"
#include "exporter/rule_questions.h"
#include "exporter/sampling/sampler.h"
#include "exporter/views/json.h"
#include "exporter/views/text.h"

namespace finwait {
namespace {

constexpr int kCannotTell = 3;

int ExitCode(const Risk& risk) {
  if (!risk.stage) {
    return kCannotTell;
  }
  switch (*risk.stage) {
    case Stage::kNone:
    case Stage::kLatent:
      return 0;
    case Stage::kExposed:
      return 1;
    case Stage::kFailing:
      return 2;
  }
  return kCannotTell;
}

}  // namespace

int RunCheck(const Options& options, std::ostream& out, std::ostream& err) {
  const auto host = OpenHost(options.procfs);
  if (!host) {
    err << "finwait_exporter check: " << host.error().message << "\n";
    return kCannotTell;
  }
  constexpr auto kLookLimit = std::chrono::seconds(30);
  const auto snapshot =
      LookOnce(host->network_namespace, MakeCollectors(options, SettingsOf(options), *host), kLookLimit);
  Diagnostician diagnostician(QuestionsTo(*host));
  const auto diagnosis = diagnostician.Diagnose(snapshot, SteadyClock::now(), WallClock::now());
  out << (options.report_format == ReportFormat::kJson ? ReportJson(*diagnosis, Details::kShow)
                                                       : ReportText(*diagnosis));
  return ExitCode(diagnosis->risk);
}

}  // namespace finwait
