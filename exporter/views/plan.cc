#include "exporter/views/plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "collectors/base/text.h"
#include "exporter/planning/rule_json.h"
#include "exporter/report/classes_report.h"
#include "exporter/views/class_json.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;
using planning::Change;
using planning::ChangedClass;
using planning::ChangedConnection;
using planning::CloseResult;
using planning::Comparison;
using planning::LoadedReport;

// More are counted, not listed.
constexpr std::size_t kConnectionsShown = 10;
constexpr std::size_t kClassesShown = 50;
constexpr std::size_t kConnectionsListed = 1000;

std::string_view Key(Change change) {
  switch (change) {
    case Change::kNewlyLost:
      return "newly_lost";
    case Change::kNewlyCloses:
      return "newly_closing";
    case Change::kOtherwise:
      return "otherwise";
    case Change::kNotKnowable:
      return "cannot_tell";
    case Change::kNone:
      break;
  }
  return "unchanged";
}

std::string_view Title(Change change) {
  switch (change) {
    case Change::kNewlyLost:
      return "Newly lost";
    case Change::kNewlyCloses:
      return "Newly closing";
    case Change::kOtherwise:
      return "Lost now, and otherwise with the candidate";
    case Change::kNotKnowable:
      return "Whether newly lost cannot be known";
    case Change::kNone:
      break;
  }
  return "Unchanged";
}

template <typename T>
std::size_t CountOf(const std::vector<T>& changed, Change change) {
  return static_cast<std::size_t>(
      std::count_if(changed.begin(), changed.end(), [&](const T& each) { return each.change == change; }));
}

std::string CountsText(const Comparison& comparison, Change change) {
  return Counted(CountOf(comparison.connections, change), "connection", "connections") + " now open and " +
         Counted(CountOf(comparison.classes, change), "class", "classes") + " of connections";
}

std::string_view Verdict(const Comparison& comparison) {
  return comparison.Has(Change::kNewlyLost) ? "LOSES" : comparison.NothingLost() ? "SAFE" : "UNKNOWN";
}

void ShowResult(const char* when, const CloseResult& close, std::ostream& out) {
  out << "    " << when << Printable(close.consequence) << "\n";
  if (!close.text.empty()) {
    out << "                 " << Printable(close.text) << "\n";
  }
}

template <typename T>
void ShowResults(const T& changed, std::ostream& out) {
  ShowResult("now:         ", changed.now, out);
  ShowResult("candidate:   ", changed.then, out);
}

void ShowClass(const ChangedClass& changed, std::ostream& out) {
  out << "  " << (changed.family == IpFamily::kIpv4 ? "IPv4 " : "IPv6 ") << changed.connections << "\n";
  ShowResults(changed, out);
  out << "    for example: " << changed.surveyed.example_local.Text() << " " << changed.surveyed.example_peer.Text();
  for (const std::string& flag : report::ExampleFlags(changed.surveyed)) {
    out << " " << flag;
  }
  out << "\n";
}

void ShowConnection(const ChangedConnection& changed, std::ostream& out) {
  const auto& socket = changed.socket->socket;
  out << "  open now: " << socket.local.Text() << " to " << socket.peer.Text() << " (" << Name(socket.state) << ")\n";
  ShowResults(changed, out);
}

template <typename T, typename Show>
void ShowAll(const std::vector<T>& changed, Change change, std::size_t most, std::string_view one,
             std::string_view many, Show show, std::ostream& out) {
  std::size_t shown = 0;
  for (const T& each : changed) {
    if (each.change == change && shown < most) {
      show(each, out);
      ++shown;
    }
  }
  if (const std::size_t all = CountOf(changed, change); all > shown) {
    out << "  and " << Counted(all - shown, one, many) << " more (--format=json lists them)\n";
  }
}

Json CloseResultJson(const CloseResult& close) {
  Json rule = nullptr;
  if (close.rule) {
    rule = planning::RuleJson(*close.rule);
    rule["hook"] = close.hook;
    rule["text"] = close.text;
  }
  return {{"fate", Name(close.fate)}, {"consequence", close.consequence}, {"rule", std::move(rule)}};
}

Json TrackedJson(const kernel::SocketEntry& entry) {
  return entry.tracking == kernel::Tracking::kUnknown ? Json(nullptr)
                                                      : Json(entry.tracking == kernel::Tracking::kTracked);
}

Json ChangeJson(const Comparison& comparison, Change change) {
  Json connections = Json::array();
  for (const ChangedConnection& each : comparison.connections) {
    if (each.change == change && connections.size() < kConnectionsListed) {
      connections.push_back({{"local", each.socket->socket.local.Text()},
                             {"peer", each.socket->socket.peer.Text()},
                             {"state", Name(each.socket->socket.state)},
                             {"tracked", TrackedJson(each.socket->socket.entry)},
                             {"now", CloseResultJson(each.now)},
                             {"candidate", CloseResultJson(each.then)}});
    }
  }
  Json classes = Json::array();
  for (const ChangedClass& each : comparison.classes) {
    if (each.change == change) {
      classes.push_back({{"connections", ConnectionsJson(each.connections, each.surveyed)},
                         {"now", CloseResultJson(each.now)},
                         {"candidate", CloseResultJson(each.then)},
                         {"example",
                          {{"local", each.surveyed.example_local.Text()},
                           {"peer", each.surveyed.example_peer.Text()},
                           {"flags", report::ExampleFlags(each.surveyed)}}}});
    }
  }
  const std::size_t all = CountOf(comparison.connections, change);
  const std::size_t not_listed = all - connections.size();
  return {
      {"connections", std::move(connections)}, {"connections_not_listed", not_listed}, {"classes", std::move(classes)}};
}

// What the report does not hold, as sentences without a stop.
std::vector<std::string> LacksOf(const LoadedReport& report) {
  std::vector<std::string> lacks = report.host.facts.lacks;
  if (report.host.facts.sockets_not_listed > 0) {
    lacks.push_back(Counted(report.host.facts.sockets_not_listed, "more socket", "more sockets") +
                    " of the host, beyond the most that a report lists");
  }
  return lacks;
}

}  // namespace

std::string PlanText(const LoadedReport& report, const Comparison& comparison) {
  std::ostringstream out;
  out << Verdict(comparison) << ": with the candidate ruleset "
      << (comparison.Has(Change::kNewlyLost) ? CountsText(comparison, Change::kNewlyLost) + " would newly be lost"
          : comparison.NothingLost()         ? std::string("no connection would newly be lost")
                                     : std::string("it cannot be known whether connections would newly be lost"))
      << " once their conntrack entry is gone.\n"
      << "Evaluated with the report of " << Printable(report.host.facts.host_name) << " of " << Printable(report.time)
      << ": " << Counted(report.host.facts.sockets.size(), "socket", "sockets") << ", "
      << comparison.connections_unchanged << " of them fare as before.\n";
  if (comparison.same_rules) {
    out << "The candidate says what the rules in force say.\n";
  }
  if (comparison.connections_unknown > 0) {
    out << "What becomes of " << Counted(comparison.connections_unknown, "connection", "connections")
        << " is unknown, as before.\n";
  }
  for (const std::string& what : LacksOf(report)) {
    out << "The report lacks " << Printable(what) << ".\n";
  }
  for (const std::string& why : comparison.incomplete) {
    out << "Not complete: " << Printable(why) << ".\n";
  }
  for (const Change change : planning::kChanges) {
    if (!comparison.Has(change)) {
      continue;
    }
    out << "\n" << Title(change) << "\n";
    ShowAll(comparison.classes, change, kClassesShown, "class", "classes", ShowClass, out);
    ShowAll(comparison.connections, change, kConnectionsShown, "connection", "connections", ShowConnection, out);
  }
  return out.str();
}

std::string PlanJson(const LoadedReport& report, const Comparison& comparison) {
  std::string incomplete;
  for (const std::string& why : comparison.incomplete) {
    incomplete += (incomplete.empty() ? "" : "; ") + why;
  }
  Json json = {{"verdict", Verdict(comparison) == "LOSES"  ? "loses"
                           : Verdict(comparison) == "SAFE" ? "safe"
                                                           : "unknown"},
               {"host",
                {{"name", report.host.facts.host_name},
                 {"time", report.time},
                 {"version", report.version},
                 {"sockets", report.host.facts.sockets.size()},
                 {"lacks", LacksOf(report)}}}};
  for (const Change change : planning::kChanges) {
    json[std::string(Key(change))] = ChangeJson(comparison, change);
  }
  json["connections_unchanged"] = comparison.connections_unchanged;
  json["same_rules"] = comparison.same_rules;
  json["connections_unknown"] = comparison.connections_unknown;
  json["incomplete"] = incomplete.empty() ? Json(nullptr) : Json(incomplete);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace finwait::views
