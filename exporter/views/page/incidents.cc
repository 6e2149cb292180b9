#include "exporter/views/page/incidents.h"

#include <algorithm>

#include "exporter/views/incidents.h"
#include "exporter/views/page/html.h"
#include "exporter/views/wall_time.h"

namespace finwait::views::page {
namespace {

using incidents::Incident;
using incidents::Time;

constexpr std::size_t kMostIncidents = 10;

double Seconds(std::chrono::milliseconds duration) { return std::chrono::duration<double>(duration).count(); }

// A bar from the incident's first connection to its last, on a line from `begin` to `now`. Decoration: the times stand
// beside it.
std::string Bar(const Incident& incident, Time begin, Time now) {
  const double length = std::max(1.0, Seconds(now - begin));
  const double from = Seconds(incident.first - begin) / length;
  const double until = incident.IsOngoing() ? 1 : Seconds(incident.last - begin) / length;
  constexpr double kThinnest = 0.01;  // a moment is visible, too
  const double width = std::max(kThinnest, until - from);
  return "<svg class=\"row-chart\" height=\"20\" aria-hidden=\"true\"><rect class=\"track\" x=\"0\" y=\"7\" "
         "width=\"100%\" height=\"6\" rx=\"3\"/><rect class=\"bar\" x=\"" +
         html::Percent(std::min(from, 1 - width)) + "\" y=\"7\" width=\"" + html::Percent(width) +
         "\" height=\"6\" rx=\"3\"/></svg>";
}

std::string What(const Incident& incident) {
  if (incident.kind == incidents::Kind::kReset) {
    return html::Count(incident.connections, "reset", "resets") + " " + ResetLossText(incident);
  }
  return html::Count(incident.connections, "connection", "connections") + " stuck: <code>" +
         std::string(incident.cause ? Name(*incident.cause) : "cause unknown") + "</code>";
}

std::string Row(const Incident& incident, Time begin, Time now, Details details) {
  std::string html = "<li><p>" + html::Escape(Rfc3339(incident.first)) + " – " +
                     (incident.IsOngoing() ? "now" : html::Escape(Rfc3339(incident.last))) + "</p>" +
                     Bar(incident, begin, now) + "<p>" + What(incident);
  if (const std::string owner = HolderText(incident); !owner.empty()) {
    html += ", " + html::Escape(owner);
  }
  if (incident.site != nullptr) {
    html += ", at " + html::Escape(Describe(incident.site->rule));
  }
  html += ".</p>";
  if (details == Details::kShow && !incident.examples.empty()) {
    html += "<code class=\"detail\">" + html::Escape(incident.examples.front().local.Text()) + " → " +
            html::Escape(incident.examples.front().peer.Text()) + "</code>";
  }
  return html + "</li>\n";
}

}  // namespace

std::string IncidentsSection(const incidents::Timeline& timeline, Time now, Details details) {
  const bool none = timeline.incidents.empty();
  std::string html = std::string("<section id=\"incidents\" aria-labelledby=\"incidents-title\"") +
                     (none ? " hidden" : "") + "><h2 id=\"incidents-title\">What has happened</h2>\n";
  if (none) {
    return html + "</section>\n";
  }
  Time begin = now;
  for (const Incident& incident : timeline.incidents) {
    begin = std::min(begin, incident.first);
  }
  html += "<ul class=\"statements\">\n";
  for (std::size_t i = 0; i < timeline.incidents.size() && i < kMostIncidents; ++i) {
    html += Row(timeline.incidents[i], begin, now, details);
  }
  html += "</ul>\n<p class=\"fine\">";
  const std::size_t more = timeline.incidents.size() + timeline.not_listed;
  if (more > kMostIncidents) {
    html += "And " + html::Number(more - kMostIncidents) + " older: <code>/api/v1/incidents</code>. ";
  }
  html +=
      timeline.stored ? "Kept on disk." : "Kept until this service stops; <code>--storage.path</code> keeps it longer.";
  return html + "</p>\n</section>\n";
}

}  // namespace finwait::views::page
