#include "exporter/host_report.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/explain_host.h"
#include "exporter/planning/host_reader.h"

namespace finwait::exporter {
namespace {

// Rules of which nothing is known, and why.
std::shared_ptr<const firewall::Ruleset> UnreadRules(const Error& why) {
  auto rules = std::make_shared<firewall::Ruleset>();
  for (const firewall::Backend backend : firewall::kBackends) {
    firewall::UnreadPart& part = rules->unread.emplace_back();
    part.backend = backend;
    part.error = why;
  }
  return rules;
}

// What `check` has collected already; collected here where that collector is off.
template <typename Sample, typename Collector>
Result<std::shared_ptr<const Sample>> SampleOf(const scheduling::Snapshot& snapshot, const kernel::Host& host) {
  if (const scheduling::CollectorStatus* status = snapshot.Status<Sample>()) {
    if (status->data == nullptr) {
      return Failure(status->errors.front());
    }
    return std::static_pointer_cast<const Sample>(status->data);
  }
  Collector collector(host);
  const auto collected = collector.Collect(Deadline::After(kExplainLimit));
  if (!collected) {
    return Failure(collected.error());
  }
  return std::static_pointer_cast<const Sample>(collected->data);
}

// The rules that were sampled; read again, with more room, where a set was too long for the sample.
std::shared_ptr<const firewall::Ruleset> WithWholeSets(const std::shared_ptr<const firewall::Ruleset>& sampled,
                                                       const kernel::Host& host) {
  const auto is_cut = [](const firewall::Table& table) {
    return std::any_of(table.sets.begin(), table.sets.end(),
                       [](const auto& named) { return named.second->contents == firewall::Contents::kTruncated; });
  };
  if (std::none_of(sampled->tables.begin(), sampled->tables.end(), is_cut)) {
    return sampled;
  }
  sources::FirewallCollector collector(host, firewall::read::ReaderLimits::OfClasses());
  const auto collected = collector.Collect(Deadline::After(kExplainLimit));
  return collected ? std::static_pointer_cast<const sources::FirewallSample>(collected->data)->ruleset : sampled;
}

}  // namespace

planning::HostReport ReadHostReport(const kernel::Host& host, const scheduling::Snapshot& snapshot) {
  const auto sysctl = SampleOf<sources::SysctlSample, sources::SysctlCollector>(snapshot, host);
  const auto settings = ReadSettings(host, sysctl ? sysctl->get() : nullptr);
  const auto firewall = SampleOf<sources::FirewallSample, sources::FirewallCollector>(snapshot, host);
  if (firewall) {
    return planning::ReadHostReport(host, WithWholeSets((*firewall)->ruleset, host), settings);
  }
  planning::HostReport report = planning::ReadHostReport(host, UnreadRules(firewall.error()), settings);
  report.facts.lacks.push_back("the rules in force: " + firewall.error().message);
  return report;
}

}  // namespace finwait::exporter
