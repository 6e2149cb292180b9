#include "exporter/incidents/timeline.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace finwait::incidents {

bool Incident::ProvesFailure() const { return cause ? diagnosis::ProvesFailure(*cause) : kind == Kind::kReset; }

std::vector<Span> Unobserved(const Timeline& timeline, Time since, Time now) {
  constexpr std::chrono::minutes kRestart{1};
  std::vector<Span> unobserved;
  Time at = since;
  const auto add = [&](Time to) {
    if (to - at > kRestart) {
      unobserved.push_back({at, to});
    }
  };
  for (const Span& span : timeline.observed) {
    add(std::min(span.from, now));
    at = std::max(at, span.to);
  }
  add(now);
  return unobserved;
}

Timeline MakeTimeline(const std::deque<Record>& records, std::vector<Span> observed, bool stored, Time since) {
  // Records of one recorder share their drop sites: equal sites are one object.
  using Key = std::tuple<Kind, std::optional<diagnosis::Cause>, const diagnosis::DropSite*, bool, std::uint32_t,
                         std::string_view>;
  std::map<Key, std::size_t> newest;  // of its key, in `incidents`
  std::vector<Incident> incidents;
  for (const Record& record : records) {
    if (record.last < since) {
      continue;
    }
    const Key key(record.kind, record.cause, record.site.get(), record.orphan, record.orphan ? 0 : record.uid,
                  record.owner != nullptr ? std::string_view(*record.owner) : std::string_view());
    const auto [known, is_new] = newest.try_emplace(key, incidents.size());
    if (is_new || record.first - incidents[known->second].last > Timeline::kApart) {
      known->second = incidents.size();
      Incident incident;
      incident.kind = record.kind;
      incident.cause = record.cause;
      incident.site = record.site;
      incident.orphan = record.orphan;
      incident.uid = record.uid;
      incident.owner = record.owner;
      incident.first = record.first;
      incident.last = record.last;
      incidents.push_back(std::move(incident));
    }
    Incident& incident = incidents[known->second];
    incident.first = std::min(incident.first, record.first);
    incident.last = std::max(incident.last, record.last);
    incident.connections += record.connections;
    incident.outcomes[static_cast<std::size_t>(record.outcome)] += record.connections;
    if (record.HasEnds()) {
      if (incident.examples.size() == Incident::kMostExamples) {
        incident.examples.erase(incident.examples.begin());
      }
      incident.examples.push_back(record);
    }
  }
  std::stable_sort(incidents.begin(), incidents.end(),
                   [](const Incident& a, const Incident& b) { return a.last > b.last; });
  Timeline timeline;
  if (incidents.size() > Timeline::kMostIncidents) {
    timeline.not_listed = incidents.size() - Timeline::kMostIncidents;
    incidents.resize(Timeline::kMostIncidents);
  }
  for (Incident& incident : incidents) {
    std::reverse(incident.examples.begin(), incident.examples.end());
  }
  timeline.incidents = std::move(incidents);
  std::erase_if(observed, [since](const Span& span) { return span.to < since; });
  if (observed.size() > Timeline::kMostSpans) {
    observed.erase(observed.begin(), observed.end() - static_cast<std::ptrdiff_t>(Timeline::kMostSpans));
  }
  timeline.observed = std::move(observed);
  timeline.stored = stored;
  return timeline;
}

}  // namespace finwait::incidents
