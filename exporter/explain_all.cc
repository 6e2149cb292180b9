#include "exporter/explain_all.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/class_survey.h"
#include "exporter/diagnosis/connection_space.h"
#include "exporter/diagnosis/paths.h"
#include "exporter/report/classes_report.h"
#include "exporter/views/classes.h"

namespace finwait::exporter {
namespace {

constexpr int kUnknownExit = 3;
constexpr auto kLimit = std::chrono::seconds(30);
// More are not counted by class.
constexpr std::size_t kMostSockets = 100'000;

template <typename Sample>
std::shared_ptr<const Sample> Collect(sources::Collector& collector, std::ostream& err) {
  auto collected = collector.Collect(Deadline::After(kLimit));
  if (!collected) {
    err << "finwait_exporter explain: " << collected.error().message << "\n";
    return nullptr;
  }
  return std::static_pointer_cast<const Sample>(collected->data);
}

}  // namespace

int RunExplainAll(const command_line::Options& options, std::ostream& out, std::ostream& err) {
  const auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    err << "finwait_exporter explain: " << host.error().message << "\n";
    return kUnknownExit;
  }
  sources::FirewallCollector firewall_collector(*host);
  sources::SysctlCollector sysctl_collector(*host);
  const auto firewall_sample = Collect<sources::FirewallSample>(firewall_collector, err);
  const auto sysctl = Collect<sources::SysctlSample>(sysctl_collector, err);
  if (firewall_sample == nullptr || sysctl == nullptr) {
    return kUnknownExit;
  }
  std::vector<kernel::TcpSocket> sockets;
  if (auto read = ReadSockets(*host, kernel::kAllSocketStates, kernel::kWithTcpInfo, Deadline::After(kLimit),
                              kernel::Into(sockets, kMostSockets));
      !read) {
    err << "finwait_exporter explain: " << read.error().message << "\n";
    return kUnknownExit;
  }

  diagnosis::EvaluationSettings settings;
  if (sysctl->conntrack_tcp_loose) {
    settings.tcp_loose = *sysctl->conntrack_tcp_loose != 0;
  }
  firewall::read::FactResolver resolver(*host);
  const auto facts = std::make_shared<firewall::facts::FactStore>();
  for (const IpFamily family : kIpFamilies) {
    settings.conntrack_active[static_cast<std::size_t>(family)] =
        diagnosis::MayNeedConntrack(*firewall_sample->ruleset, family, resolver, *facts);
  }
  diagnosis::CloseEvaluator evaluator(firewall_sample->ruleset, settings, facts);

  const std::set<IpFamily> families = options.family
                                          ? std::set<IpFamily>{*options.family}
                                          : std::set<IpFamily>(std::begin(kIpFamilies), std::end(kIpFamilies));
  std::vector<diagnosis::ConnectionSpace> spaces;
  std::vector<diagnosis::FamilySurvey> surveys;
  diagnosis::RulesReached reached;
  for (const IpFamily family : families) {
    auto space = diagnosis::ReadConnectionSpace(*host, family, Deadline::After(kLimit));
    if (!space) {
      err << "finwait_exporter explain: " << space.error().message << "\n";
      return kUnknownExit;
    }
    surveys.push_back(diagnosis::SurveyClasses(evaluator, &resolver, *space, family, sockets, &reached));
    spaces.push_back(std::move(*space));
  }
  const bool reached_all = std::all_of(surveys.begin(), surveys.end(),
                                       [](const diagnosis::FamilySurvey& survey) { return survey.reached_all; });
  const auto unreached = reached_all ? diagnosis::UnreachedRules(*firewall_sample->ruleset, families, reached)
                                     : std::vector<firewall::RuleId>();
  const report::ClassesReport report = report::ReportClasses(std::move(surveys), spaces, unreached, evaluator);
  out << (options.report_format == command_line::ReportFormat::kJson ? views::ClassesJson(report)
                                                                     : views::ClassesText(report));
  return report.SomeNotClean() ? 1 : report.AllClean() ? 0 : kUnknownExit;
}

}  // namespace finwait::exporter
