#include "exporter/views/incidents.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "collectors/base/text.h"
#include "collectors/firewall/model/rule_id.h"
#include "exporter/report/report_text.h"
#include "exporter/views/json_text.h"
#include "exporter/views/rule_json.h"
#include "exporter/views/wall_time.h"

namespace finwait::views {
namespace {

using incidents::Incident;
using incidents::Outcome;
using incidents::Record;
using incidents::Time;
using incidents::Timeline;
using Json = nlohmann::ordered_json;

double Seconds(std::chrono::milliseconds duration) { return std::chrono::duration<double>(duration).count(); }

std::uint64_t Of(const Incident& incident, Outcome outcome) {
  return incident.outcomes[static_cast<std::size_t>(outcome)];
}

Json SiteJson(const Incident& incident) {
  if (incident.site == nullptr) {
    return nullptr;
  }
  Json json = RuleJson(incident.site->rule);
  json["hook"] = Name(incident.site->hook);
  json["policy"] = incident.site->rule.IsPolicy();
  json["verdict"] = incident.site->rejects ? "reject" : "drop";
  return json;
}

Json ConnectionJson(const Record& record) {
  const bool has_state = record.kind == incidents::Kind::kStuck;
  return Json{{"local", record.local.Text()},
              {"peer", record.peer.Text()},
              {"state", has_state ? Json(Name(record.state)) : Json(nullptr)},
              {"tries", record.tries},
              {"first", Rfc3339(record.first)},
              {"last", Rfc3339(record.last)},
              {"outcome", Name(record.outcome)}};
}

Json IncidentJson(const Incident& incident, Details details) {
  Json outcomes;
  for (const Outcome outcome : incidents::kOutcomes) {
    outcomes[std::string(Name(outcome))] = Of(incident, outcome);
  }
  Json json = {{"kind", Name(incident.kind)},
               {"cause", incident.cause ? Json(Name(*incident.cause)) : Json(nullptr)},
               {"rule", SiteJson(incident)},
               {"owner", HolderText(incident).empty() ? Json(nullptr) : Json(HolderText(incident))},
               {"first", Rfc3339(incident.first)},
               {"last", Rfc3339(incident.last)},
               {"ongoing", incident.IsOngoing()},
               {"connections", incident.connections},
               {"outcomes", outcomes}};
  if (details == Details::kShow) {
    json["rule_text"] = incident.site != nullptr ? Json(incident.site->rule_text) : Json(nullptr);
    json["examples"] = Json::array();
    for (const Record& record : incident.examples) {
      json["examples"].push_back(ConnectionJson(record));
    }
  }
  return json;
}

// "12 connections got stuck (local_drop)".
std::string What(const Incident& incident) {
  if (incident.kind == incidents::Kind::kReset) {
    return Counted(incident.connections, "reset was", "resets were") + " " + ResetLossText(incident);
  }
  return Counted(incident.connections, "connection", "connections") + " got stuck (" +
         std::string(incident.cause ? Name(*incident.cause) : "cause unknown") + ")";
}

std::string Outcomes(const Incident& incident) {
  const struct {
    Outcome outcome;
    const char* text;
  } rows[] = {{Outcome::kOngoing, "still stuck"},
              {Outcome::kGaveUp, "given up by the kernel, the peer not told"},
              {Outcome::kEnded, "ended before that"},
              {Outcome::kUnobserved, "ended while nobody watched"}};
  std::string text;
  for (const auto& row : rows) {
    if (Of(incident, row.outcome) > 0) {
      text += (text.empty() ? "" : ", ") + std::to_string(Of(incident, row.outcome)) + " " + row.text;
    }
  }
  return text;
}

void Show(const Incident& incident, std::ostringstream& out) {
  constexpr std::size_t kMostShown = 5;
  out << "\n" << Rfc3339(incident.first) << " to " << (incident.IsOngoing() ? "now" : Rfc3339(incident.last)) << "\n";
  out << "  " << What(incident);
  if (const std::string owner = HolderText(incident); !owner.empty()) {
    out << ", " << Printable(owner);
  }
  out << "\n";
  if (incident.site != nullptr) {
    out << "  at " << Printable(Describe(incident.site->rule)) << "\n";
    if (!incident.site->rule_text.empty()) {
      out << "      " << Printable(incident.site->rule_text) << "\n";
    }
  }
  if (const std::string outcomes = Outcomes(incident); !outcomes.empty()) {
    out << "  " << outcomes << "\n";
  }
  for (std::size_t i = 0; i < incident.examples.size() && i < kMostShown; ++i) {
    const Record& record = incident.examples[i];
    out << "      " << record.local.Text() << " -> " << record.peer.Text();
    if (record.kind == incidents::Kind::kStuck) {
      out << "  " << report::KernelName(record.state);
    }
    out << "  " << Rfc3339(record.first);
    if (record.kind == incidents::Kind::kStuck) {
      out << "  " << Counted(record.tries, "try", "tries");
    }
    out << "\n";
  }
  if (!incident.examples.empty() && incident.connections > std::min(incident.examples.size(), kMostShown)) {
    out << "      ... and " << incident.connections - std::min(incident.examples.size(), kMostShown) << " more\n";
  }
}

std::string SpansText(const std::vector<incidents::Span>& spans) {
  std::string text;
  for (const incidents::Span& span : spans) {
    text += (text.empty() ? "" : ", ") + Rfc3339(span.from) + " to " + Rfc3339(span.to);
  }
  return text;
}

}  // namespace

std::string HolderText(const Incident& incident) {
  if (incident.kind == incidents::Kind::kReset) {
    return incident.owner != nullptr ? *incident.owner : "";
  }
  const std::string holder = report::HolderText(incident.orphan, incident.uid);
  return incident.owner != nullptr ? holder + ", " + *incident.owner : holder;
}

std::string ResetLossText(const Incident& incident) {
  return incident.ProvesFailure() ? "dropped by this host's own rules"
                                  : "dropped by this host (" + std::string(Name(*incident.cause)) + ")";
}

std::string IncidentsJson(const Timeline& timeline, Time now, std::optional<Time> since, Details details) {
  Json observed = Json::array();
  for (const incidents::Span& span : timeline.observed) {
    observed.push_back({{"from", Rfc3339(span.from)}, {"to", Rfc3339(span.to)}});
  }
  Json listed = Json::array();
  for (const Incident& incident : timeline.incidents) {
    listed.push_back(IncidentJson(incident, details));
  }
  const Json json = {{"version", FINWAIT_VERSION},
                     {"time", Rfc3339(now)},
                     {"since", since ? Json(Rfc3339(*since)) : Json(nullptr)},
                     {"stored", timeline.stored},
                     {"observed", observed},
                     {"incidents", listed},
                     {"incidents_not_listed", timeline.not_listed}};
  return JsonText(json);
}

std::string IncidentsText(const Timeline& timeline, Time now, Time since) {
  std::ostringstream out;
  const std::uint64_t number = timeline.incidents.size() + timeline.not_listed;
  const std::string lasting = report::Lasting(Seconds(now - since));
  if (number == 0) {
    out << "Nothing was lost in the last " << lasting << ", as far as this service watched.\n";
  } else {
    out << Counted(number, "incident", "incidents") << " in the last " << lasting << ", the newest first.\n";
  }
  if (const auto unobserved = Unobserved(timeline, since, now); !unobserved.empty()) {
    out << "Not observed: " << SpansText(unobserved) << ". The service did not run then.\n";
  }
  for (const Incident& incident : timeline.incidents) {
    Show(incident, out);
  }
  if (timeline.not_listed > 0) {
    out << "\n... and " << timeline.not_listed << " older ones.\n";
  }
  return out.str();
}

}  // namespace finwait::views
