#include "exporter/explain_all.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/firewall/read/routing.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"
#include "exporter/diagnosis/class_survey.h"
#include "exporter/diagnosis/connection_space.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/exit_code.h"
#include "exporter/explain_host.h"
#include "exporter/report/classes_report.h"
#include "exporter/views/classes.h"

namespace finwait::exporter {
namespace {

// More are not counted by class.
constexpr std::size_t kMostSockets = 100'000;

}  // namespace

int RunExplainAll(const command_line::Options& options, const Result<kernel::Host>& opened, std::ostream& out,
                  std::ostream& err) {
  auto read = ReadExplainHost(opened, err);
  if (!read) {
    return kCannotTell;
  }
  const kernel::Host& host = read->host;
  const auto& rules = read->firewall->ruleset;
  std::vector<kernel::TcpSocket> sockets;
  if (auto listed = ReadSockets(host, kernel::kAllSocketStates, kernel::kWithTcpInfo, Deadline::After(kExplainLimit),
                                kernel::Into(sockets, kMostSockets));
      !listed) {
    err << "finwait_exporter explain: " << listed.error().message << "\n";
    return kCannotTell;
  }

  diagnosis::EvaluationSettings& settings = read->settings;
  firewall::read::FactResolver resolver(host, nullptr, firewall::read::ReaderLimits::OfClasses());
  const auto facts = std::make_shared<firewall::facts::FactStore>();
  settings.conntrack_active = diagnosis::MayNeedConntrack(*rules, resolver, *facts);
  diagnosis::CloseEvaluator evaluator(rules, settings, facts);

  const std::set<IpFamily> families = options.family
                                          ? std::set<IpFamily>{*options.family}
                                          : std::set<IpFamily>(std::begin(kIpFamilies), std::end(kIpFamilies));
  std::vector<diagnosis::ConnectionSpace> spaces;
  std::vector<diagnosis::FamilySurvey> surveys;
  diagnosis::RulesReached reached;
  for (const IpFamily family : families) {
    const auto routing = firewall::read::ReadRouting(host, family, Deadline::After(kExplainLimit));
    if (!routing) {
      err << "finwait_exporter explain: " << routing.error().message << "\n";
      return kCannotTell;
    }
    spaces.push_back(diagnosis::SpaceOf(*routing, family));
    surveys.push_back(diagnosis::SurveyClasses(evaluator, &resolver, spaces.back(), family, sockets, &reached));
  }
  const bool reached_all = std::all_of(surveys.begin(), surveys.end(),
                                       [](const diagnosis::FamilySurvey& survey) { return survey.reached_all; });
  const auto unreached =
      reached_all ? diagnosis::UnreachedRules(*rules, families, reached) : std::vector<firewall::RuleId>();
  const report::ClassesReport report =
      report::ReportClasses(std::move(surveys), spaces, unreached, evaluator.Packets());
  out << (options.report_format == command_line::ReportFormat::kJson ? views::ClassesJson(report)
                                                                     : views::ClassesText(report));
  return report.SomeNotClean() ? 1 : report.AllClean() ? 0 : kCannotTell;
}

}  // namespace finwait::exporter
