// docs/metrics.md is made here, from the metrics that the program serves: every family of a diagnosis in which every
// collector works, and for each the collectors without which it is absent, found by blinding one after the other.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "collectors/sources/conntrack_events.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/views/metrics/metrics.h"
#include "tests/lab/paths.h"
#include "tests/unit/collectors/sources/complete_samples.h"

namespace finwait::views {
namespace {

using prometheus::MetricFamily;

/// One room of the document: the families whose names begin so.
struct Section {
  const char* heading;
  std::vector<std::string> prefixes;
  const char* text;
};

// Of collectors whose metrics are all without labels, such as netstat: the prefix is the collector's name.
std::vector<std::string> OtherCounters() {
  std::vector<std::string> prefixes;
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    const std::string prefix = std::string(info.name) + "_";
    if (!info.metrics.empty() && std::all_of(info.metrics.begin(), info.metrics.end(), [&](const auto& metric) {
          return metric.name.starts_with(prefix) && metric.type == sources::MetricType::kCounter;
        })) {
      prefixes.push_back("finwait_" + prefix);
    }
  }
  return prefixes;
}

const std::vector<Section>& Sections() {
  static const std::vector<Section> sections = {
      {"Risk",
       {"finwait_risk_"},
       "The verdict of the host as one number and one stage. [risk.md](risk.md) has the formula. Score and stage are "
       "absent when something is missing that could change the stage, never 0; a proven failure stays visible whatever "
       "else is unavailable."},
      {"Sockets",
       {"finwait_tcp_", "finwait_prediction_"},
       "The sockets of all network namespaces that are seen, and what becomes of them; "
       "[how-it-works.md](how-it-works.md#why-a-socket-is-stuck) explains the causes. `finwait_tcp_untracked_sockets` "
       "is also "
       "absent where "
       "conntrack is not active: there, no entry is no risk. "
       "`finwait_prediction_outcomes_total` counts only what is certain: [risk.md](risk.md#predictions-are-graded) "
       "says how."},
      {"Whose sockets",
       {"finwait_owner_", "finwait_network_namespaces"},
       "Pods, containers, units and processes: the 20 worst by name, all others together as `other`, so that sums are "
       "exact. An owner that is none of them has no series; `other` always has one. `--owners.names=off` leaves the "
       "names out."},
      {"Firewall",
       {"finwait_firewall_", "finwait_conntrack_active"},
       "What the rules do, read from the kernel: nftables (iptables-nft included) and iptables-legacy. Where one "
       "backend "
       "or IP version cannot be read, its series are absent."},
      {"Conntrack",
       {"finwait_conntrack_"},
       "Counters and the table. The histograms show the table as it is now and may fall: take their quantiles, never "
       "their rate(). A counter that this kernel does not have is absent."},
      {"Settings",
       {"finwait_sysctl_"},
       "What decides how long a silent connection keeps its entry, and how long its socket tries to close. A setting "
       "that this kernel or network namespace does not have is absent."},
      {"The kernel's TCP counters",
       {"finwait_netstat_"},
       "Closes that went wrong, as the kernel itself counts them. What each of them does not see is in its meaning."},
      {"The kernel's own word",
       {"finwait_witness_"},
       "Closing packets that the kernel says it dropped: with `--collector.witness` only, which is off by default "
       "([witness.md](witness.md))."},
      {"Other counters of the kernel", OtherCounters(),
       "What else can make a close fail, one collector each: a reason to look further, no proof."},
      {"The exporter itself",
       {"finwait_collector_", "finwait_sampling_", "finwait_exporter_", "process_"},
       "While a collector fails, its own metrics are absent; the others stay. "
       "`--web.disable-exporter-metrics` leaves out `process_*`."},
  };
  return sections;
}

bool BelongsTo(const Section& section, const std::string& name) {
  return std::any_of(section.prefixes.begin(), section.prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

// The first that fits.
const Section* SectionOf(const std::string& name) {
  const auto found = std::find_if(Sections().begin(), Sections().end(),
                                  [&](const Section& section) { return BelongsTo(section, name); });
  return found == Sections().end() ? nullptr : &*found;
}

// Rules under which a close gets lost: then the risk hangs on everything that can be known.
std::shared_ptr<const firewall::Ruleset> DroppingRules() {
  auto chain = std::make_shared<firewall::Chain>();
  chain->name = "OUTPUT";
  chain->base = firewall::BaseChain{};
  chain->base->hook = firewall::Hook::kOutput;
  chain->base->policy_drop = true;
  firewall::Table table;
  table.family = firewall::TableFamily::kInet;
  table.chains["OUTPUT"] = std::move(chain);
  auto rules = std::make_shared<firewall::Ruleset>();
  rules->tables.push_back(std::move(table));
  return rules;
}

// A sample of each collector in which nothing is missing.
std::shared_ptr<const sources::SampleData> CompleteSample(std::string_view collector) {
  if (collector == sources::ConntrackStatsSample::kCollector) {
    auto sample = std::make_shared<sources::ConntrackStatsSample>();
    sample->counters.fill(0);
    sample->entries = sample->entries_limit = sample->buckets = 0;
    return sample;
  }
  if (collector == sources::ConntrackTableSample::kCollector) {
    auto sample = std::make_shared<sources::ConntrackTableSample>();
    sample->idle.fill(sources::AgeHistogram());
    sample->flows[0].udp = sample->flows[1].udp = 1;  // so conntrack is active; below once more, as one may be blind
    return sample;
  }
  if (collector == sources::SysctlSample::kCollector) {
    auto sample = std::make_shared<sources::SysctlSample>();
    sample->conntrack_tcp_timeouts.fill(std::chrono::seconds(1));
    for (auto* number : {&sample->conntrack_tcp_loose, &sample->conntrack_tcp_be_liberal, &sample->conntrack_events,
                         &sample->tcp_keepalive_probes, &sample->tcp_orphan_retries, &sample->tcp_orphans_limit}) {
      *number = 0;
    }
    sample->tcp_keepalive_time = sample->tcp_keepalive_interval = sample->tcp_fin_timeout = std::chrono::seconds(1);
    return sample;
  }
  if (collector == sources::FirewallSample::kCollector) {
    auto sample = std::make_shared<sources::FirewallSample>();
    sample->ruleset = DroppingRules();
    return sample;
  }
  if (collector == sources::ConntrackEventsSample::kCollector) {
    return std::make_shared<sources::ConntrackEventsSample>();
  }
  if (collector == sources::TrackingSample::kCollector) {
    auto sample = std::make_shared<sources::TrackingSample>();
    kernel::TcpSocket socket;
    socket.entry.tracking = kernel::Tracking::kTracked;
    sample->sockets.Add(socket);
    return sample;
  }
  if (collector == sources::SocketsSample::kCollector) {
    return std::make_shared<sources::SocketsSample>();
  }
  if (collector == sources::NetworkNamespacesSample::kCollector) {
    return std::make_shared<sources::NetworkNamespacesSample>();
  }
  const auto sample = sources::CompleteSamples::Of(collector);
  EXPECT_NE(sample, nullptr) << "add a complete sample in the unit test of collector " << collector;
  return sample;
}

/// What a scrape has while every collector but `blind` works.
std::vector<MetricFamily> FamiliesWithout(std::string_view blind) {
  auto snapshot = std::make_shared<scheduling::Snapshot>();
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    scheduling::CollectorStatus status;
    status.info = &info;
    status.collected = true;
    if (info.name == blind) {
      status.errors = {Error{}};
    } else {
      status.data = CompleteSample(info.name);
    }
    snapshot->collectors.push_back(std::move(status));
  }
  diagnosis::Diagnostician diagnostician(
      nullptr, {}, {{"198.51.100.0/24", *IpAddress::Parse("198.51.100.0"), 24, std::chrono::seconds(350)}});
  return metrics::MetricFamilies(*diagnostician.Diagnose(snapshot, SteadyClock::now(), scheduling::WallClock::now()),
                                 true);
}

/// The collectors without which the family is not there.
std::set<std::string_view> NeededFor(const std::string& family) {
  static const auto without = [] {
    std::map<std::string_view, std::set<std::string>> names;
    for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
      for (const MetricFamily& each : FamiliesWithout(info.name)) {
        names[info.name].insert(each.name);
      }
    }
    return names;
  }();
  std::set<std::string_view> needed;
  for (const auto& [collector, names] : without) {
    if (!names.contains(family)) {
      needed.insert(collector);
    }
  }
  return needed;
}

std::string Type(const MetricFamily& family) {
  switch (family.type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    case prometheus::MetricType::Histogram:
      return "histogram";
    default:
      ADD_FAILURE() << family.name << " is of a type that this program does not use";
      return "";
  }
}

/// Each label with the values it takes, in the order of the series; build information differs from build to build.
std::string LabelDomains(const MetricFamily& family) {
  std::vector<std::pair<std::string, std::vector<std::string>>> domains;
  for (const auto& metric : family.metric) {
    for (const auto& label : metric.label) {
      auto domain =
          std::find_if(domains.begin(), domains.end(), [&](const auto& one) { return one.first == label.name; });
      if (domain == domains.end()) {
        domain = domains.insert(domains.end(), {label.name, {}});
      }
      const std::string value = label.value.empty() ? "(empty)" : label.value;
      if (std::find(domain->second.begin(), domain->second.end(), value) == domain->second.end()) {
        domain->second.push_back(value);
      }
    }
  }
  std::string text;
  for (const auto& [name, values] : domains) {
    text += (text.empty() ? "`" : "; `") + name + "`";
    if (family.name == "finwait_exporter_build_info") {
      continue;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      text += (i == 0 ? ": " : ", ") + values[i];
    }
  }
  return text;
}

std::string Cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) {
    text.insert(at, "\\");
  }
  return text;
}

std::string Row(const MetricFamily& family) {
  std::string needed;
  for (const std::string_view collector : NeededFor(family.name)) {
    needed += (needed.empty() ? "`" : ", `") + std::string(collector) + "`";
  }
  return "| `" + family.name + "` | " + Type(family) + " | " + LabelDomains(family) + " | " + Cell(family.help) +
         " | " + needed + " |\n";
}

std::string Document() {
  const std::vector<MetricFamily> families = FamiliesWithout("");
  std::size_t series = 0;
  for (const MetricFamily& family : families) {
    for (const auto& metric : family.metric) {
      // A bucket for each bound and +Inf, _sum and _count.
      series += family.type == prometheus::MetricType::Histogram ? metric.histogram.bucket.size() + 2 : 1;
    }
  }
  std::ostringstream text;
  text
      << "# Metrics\n\n"
         "<!-- Made from the code by tests/unit/exporter/views/metrics_document_test.cc; after a change:\n"
         "     FINWAIT_UPDATE_GOLDEN=1 build/unit_tests --gtest_filter='MetricsDocument*' -->\n\n"
         "Every metric that `/metrics` serves: "
      << families.size() << " families, " << series
      << " series with all that is optional, whatever the number of connections, rules or CPUs. Owners and further "
         "paths add a few, as said below. Every combination of labels is there from the first scrape, at 0. What "
         "cannot be read is absent, never 0: the last column names the collectors without "
         "which a family is not there.\n\n"
         "Sampling goes on in the background. A scrape shows the newest sample, and "
         "`finwait_collector_last_success_timestamp_seconds` tells its age. Names, labels and meanings are a contract: "
         "they are added to, never renamed.\n";
  for (const Section& section : Sections()) {
    const bool is_empty = std::none_of(families.begin(), families.end(),
                                       [&](const MetricFamily& family) { return SectionOf(family.name) == &section; });
    if (is_empty) {
      continue;
    }
    text << "\n## " << section.heading << "\n\n"
         << section.text << "\n\n| metric | type | labels | meaning | absent without |\n|---|---|---|---|---|\n";
    for (const MetricFamily& family : families) {
      if (SectionOf(family.name) == &section) {
        text << Row(family);
      }
    }
  }
  return text.str();
}

TEST(MetricsDocumentTest, IsWhatTheProgramServes) {
  const auto path = lab::SourceFolder() / "docs/metrics.md";
  const std::string document = Document();
  if (std::getenv("FINWAIT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << document;
  }
  std::ostringstream written;
  written << std::ifstream(path).rdbuf();
  EXPECT_EQ(written.str(), document)
      << "if the change is meant: FINWAIT_UPDATE_GOLDEN=1 build/unit_tests --gtest_filter='MetricsDocument*'";
}

TEST(MetricsDocumentTest, HasARoomForEveryFamily) {
  for (const MetricFamily& family : FamiliesWithout("")) {
    EXPECT_NE(SectionOf(family.name), nullptr) << family.name << " belongs to no section";
  }
}

TEST(MetricsDocumentTest, FindsWhatAFamilyHangsOn) {
  using testing::ElementsAre;
  EXPECT_THAT(NeededFor("finwait_sysctl_tcp_fin_timeout_seconds"), ElementsAre("sysctl"));
  EXPECT_THAT(NeededFor("finwait_tcp_stuck_sockets"), ElementsAre("sockets"));
  EXPECT_THAT(NeededFor("finwait_tcp_at_risk_sockets"), testing::IsSupersetOf({"firewall", "tracking"}));
  EXPECT_THAT(NeededFor("finwait_collector_success"), ElementsAre());
}

}  // namespace
}  // namespace finwait::views
