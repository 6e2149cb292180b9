#include "exporter/views/classes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "collectors/base/text.h"
#include "collectors/firewall/model/rule_id.h"
#include "exporter/report/class_text.h"
#include "exporter/report/report_text.h"
#include "exporter/views/class_json.h"
#include "exporter/views/json_text.h"
#include "exporter/views/rule_json.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;
// More are counted, not listed.
constexpr std::size_t kUnreachedListed = 20;

Json RuleOf(const report::ClassReport& line) {
  const auto& outcome = line.surveyed.outcome;
  if (!outcome.rule) {
    return nullptr;
  }
  Json rule = RuleJson(outcome.rule);
  rule["hook"] = outcome.hook ? Json(firewall::Name(*outcome.hook)) : Json(nullptr);
  rule["text"] = line.packet ? line.packet->text : "";
  return rule;
}

std::string Sockets(std::size_t count) {
  return count == 0 ? "no socket now" : Counted(count, "socket now", "sockets now");
}

}  // namespace

std::string ClassesText(const report::ClassesReport& report) {
  const auto not_clean = std::count_if(report.classes.begin(), report.classes.end(), [](const auto& each) {
    return each.surveyed.outcome.fate != diagnosis::Fate::kClean;
  });
  std::ostringstream out;
  out << (report.SomeNotClean() ? "NOT CLEAN"
          : report.AllClean()   ? "CLEAN"
                                : "UNKNOWN")
      << ": of " << Counted(report.classes.size(), "class", "classes") << " of connections that the rules tell apart, "
      << (not_clean == 0 ? "each closes" : "")
      << (not_clean == 0
              ? ""
              : Counted(static_cast<std::uint64_t>(not_clean), "does", "do") + " not close, or cannot be told,")
      << " once the conntrack entry is gone.\n";
  for (const std::string& why : report.incomplete) {
    out << "Not complete: " << Printable(why) << ".\n";
  }
  for (const report::ClassReport& line : report.classes) {
    const auto& surveyed = line.surveyed;
    out << "\n"
        << Name(surveyed.outcome.fate) << "  " << report::FamilyText(line.family) << " " << Printable(line.connections)
        << "\n    " << Printable(line.consequence) << "\n";
    if (line.packet && !line.packet->text.empty()) {
      out << "      " << Printable(line.packet->text) << "\n";
    }
    out << "    " << Sockets(surveyed.sockets) << "; for example: explain " << surveyed.example_local.Text() << " "
        << surveyed.example_peer.Text();
    for (const std::string& flag : report::ExampleFlags(surveyed)) {
      out << " " << flag;
    }
    out << "\n";
  }
  if (report.sockets_of_no_class > 0) {
    out << "\nOf " << Counted(report.sockets_of_no_class, "socket", "sockets")
        << " it cannot be told here to which class they belong: `check` evaluates each.\n";
  }
  if (!report.unreached.empty()) {
    out << "\nNo packet of a close without an entry comes to " << Counted(report.unreached.size(), "rule", "rules")
        << " of input and output:\n";
    for (std::size_t i = 0; i < std::min(report.unreached.size(), kUnreachedListed); ++i) {
      out << "  " << Printable(Describe(report.unreached[i].rule)) << "\n      " << Printable(report.unreached[i].text)
          << "\n";
    }
    if (report.unreached.size() > kUnreachedListed) {
      out << "  and " << report.unreached.size() - kUnreachedListed << " more (--format=json lists all)\n";
    }
  }
  return out.str();
}

std::string ClassesJson(const report::ClassesReport& report) {
  Json classes = Json::array();
  for (const report::ClassReport& line : report.classes) {
    const auto& surveyed = line.surveyed;
    classes.push_back({{"fate", Name(surveyed.outcome.fate)},
                       {"consequence", line.consequence},
                       {"connections", ConnectionsJson(line.connections, surveyed)},
                       {"rule", RuleOf(line)},
                       {"packet", surveyed.outcome.packet ? Json(line.packet->name) : Json(nullptr)},
                       {"reason", surveyed.outcome.reason},
                       {"example",
                        {{"local", surveyed.example_local.Text()},
                         {"peer", surveyed.example_peer.Text()},
                         {"flags", report::ExampleFlags(surveyed)}}},
                       {"sockets", surveyed.sockets}});
  }
  Json unreached = Json::array();
  for (const report::UnreachedRule& each : report.unreached) {
    Json rule = RuleJson(each.rule);
    rule["text"] = each.text;
    unreached.push_back(std::move(rule));
  }
  std::string incomplete;
  for (const std::string& why : report.incomplete) {
    incomplete += (incomplete.empty() ? "" : "; ") + why;
  }
  const Json json = {{"classes", std::move(classes)},
                     {"unreached_rules", std::move(unreached)},
                     {"sockets_of_no_class", report.sockets_of_no_class},
                     {"incomplete", incomplete.empty() ? Json(nullptr) : Json(incomplete)}};
  return JsonText(json);
}

}  // namespace finwait::views
