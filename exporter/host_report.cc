#include "exporter/host_report.h"

#include <memory>
#include <utility>

#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/explain_host.h"
#include "exporter/planning/host_reader.h"

namespace finwait::exporter {
namespace {

// Rules of which nothing is known.
std::shared_ptr<const firewall::Ruleset> UnreadRules() {
  auto rules = std::make_shared<firewall::Ruleset>();
  for (const firewall::Backend backend : firewall::kBackends) {
    rules->unread.emplace_back().backend = backend;
  }
  return rules;
}

}  // namespace

Result<planning::HostReport> ReadHostReport(const kernel::Host& host) {
  sources::SysctlCollector sysctl_collector(host);
  const auto sysctl = sysctl_collector.Collect(Deadline::After(kExplainLimit));
  const auto settings =
      ReadSettings(host, sysctl ? std::static_pointer_cast<const sources::SysctlSample>(sysctl->data).get() : nullptr);
  sources::FirewallCollector firewall_collector(host);
  const auto firewall = firewall_collector.Collect(Deadline::After(kExplainLimit));
  if (firewall) {
    return planning::ReadHostReport(
        host, std::static_pointer_cast<const sources::FirewallSample>(firewall->data)->ruleset, settings);
  }
  planning::HostReport report = planning::ReadHostReport(host, UnreadRules(), settings);
  report.facts.lacks.push_back("the rules in force: " + firewall.error().message);
  return report;
}

}  // namespace finwait::exporter
