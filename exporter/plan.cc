#include "exporter/plan.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/sources/firewall.h"
#include "exporter/exit_code.h"
#include "exporter/explain_host.h"
#include "exporter/planning/host_evaluation.h"
#include "exporter/planning/host_reader.h"
#include "exporter/views/plan.h"

namespace finwait::exporter {
namespace {

// A report of the most sockets that one lists has half of it.
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

// For who makes the namespace: a device a line, as `ip -batch` reads it.
void ListDevices(const planning::HostFacts& host, std::ostream& out) {
  for (const firewall::facts::Interface& device : host.devices) {
    constexpr std::string_view kUnfit = " \t\n\\\"'/";
    const bool fit = device.name && device.index && *device.name != "lo" &&
                     device.name->find_first_of(kUnfit) == std::string::npos && Printable(*device.name) == *device.name;
    if (fit) {
      out << "link add name " << *device.name << " index " << *device.index << " type dummy\n";
    }
  }
}

}  // namespace

Result<std::string> ReadReportFile(const command_line::Options& options) {
  std::ifstream file(options.against, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty()) {
    return Fail(FailureReason::kError, "it is empty or cannot be read");
  }
  if (text.size() > kMostBytes) {
    return Fail(FailureReason::kError, "it is larger than any report (64 MiB)");
  }
  return text;
}

int RunPlan(const command_line::Options& options, const Result<std::string>& text, const Result<kernel::Host>& host,
            std::ostream& out, std::ostream& err) {
  const auto refuse = [&](const std::string& why) {
    err << "finwait_exporter plan: " << why << "\n";
    return kCannotTell;
  };
  const std::string named =
      options.against == "live" ? "the live host's report" : "the report " + Quoted(options.against);
  if (!text) {
    return refuse(named + ": " + text.error().message + ".");
  }
  auto report = planning::ParseReport(*text);
  if (!report) {
    return refuse(named + ": " + report.error().message + ".");
  }
  if (options.list_devices) {
    ListDevices(report->host.facts, out);
    return 0;
  }
  if (!host) {
    return refuse(host.error().message);
  }
  const auto links = kernel::Links::Read(*host, Deadline::After(kExplainLimit));
  if (!links) {
    return refuse(links.error().message);
  }
  RenumberDevices(*links, report->host);
  sources::FirewallCollector collector(*host, firewall::read::ReaderLimits::OfClasses());
  const auto firewall = collector.Collect(Deadline::After(kExplainLimit));
  if (!firewall) {
    return refuse("the candidate ruleset of this namespace: " + firewall.error().message);
  }
  const auto rules = std::static_pointer_cast<const sources::FirewallSample>(firewall->data)->ruleset;
  firewall::read::FactResolver resolver(*host, nullptr, firewall::read::ReaderLimits::OfClasses());
  const planning::HostResults candidate = EvaluateHost(report->host.facts, rules, resolver);
  const planning::Comparison comparison = Compare(report->host, candidate);
  out << (options.report_format == command_line::ReportFormat::kJson ? views::PlanJson(*report, comparison)
                                                                     : views::PlanText(*report, comparison));
  return comparison.Has(planning::Change::kNewlyLost) ? 1 : comparison.NothingLost() ? 0 : kCannotTell;
}

}  // namespace finwait::exporter
