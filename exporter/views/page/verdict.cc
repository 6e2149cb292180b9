#include <algorithm>
#include <cmath>
#include <numeric>

#include "collectors/sources/conntrack_stats.h"
#include "exporter/views/page/charts.h"
#include "exporter/views/page/html.h"
#include "exporter/views/page/sections.h"
#include "exporter/views/wall_time.h"

namespace finwait::views::page {
namespace {

std::string Title(std::optional<diagnosis::Stage> stage) {
  if (!stage) {
    return "Cannot tell";
  }
  std::string name(Name(*stage));
  name.front() = static_cast<char>(name.front() - 'a' + 'A');
  return name == "None" ? "No risk" : name;
}

std::string TimeOfDay(scheduling::WallClock::time_point at) {
  const std::string text = Rfc3339(at);  // 2026-11-25T10:03:21Z
  return "<time datetime=\"" + text + "\">" + text.substr(11, 8) + " UTC</time>";
}

// `number` empty: it cannot be told.
std::string Tile(const char* name, std::optional<std::uint64_t> number, const std::string& beside, bool alarming) {
  return std::string("<div class=\"tile") + (alarming && number.value_or(0) > 0 ? " alarm" : "") + "\"><dt>" + name +
         "</dt><dd class=\"number\">" +
         (number ? html::Number(*number)
                 : "<span aria-hidden=\"true\">–</span><span class=\"unseen\">cannot tell</span>") +
         "</dd><dd class=\"beside\">" + (number ? beside : "cannot tell: see below what is not observed") +
         "</dd></div>\n";
}

// A socket is counted in the totals only once its cause is settled, a little after it is seen.
std::uint64_t EverStuck(const diagnosis::StuckSummary& stuck) {
  std::uint64_t total = 0;
  for (const auto& by_cause : stuck.total) {
    total = std::accumulate(by_cause.begin(), by_cause.end(), total);
  }
  return std::max<std::uint64_t>(total, stuck.sockets.size());
}

std::string TableFill(const sources::ConntrackStatsSample& stats) {
  if (!stats.entries || !stats.entries_limit || *stats.entries_limit == 0) {
    return "in this namespace";
  }
  return html::Percent(static_cast<double>(*stats.entries) / static_cast<double>(*stats.entries_limit)) + " of " +
         html::Number(*stats.entries_limit);
}

// What helps most of what cannot wait, so that nobody has to look for it further down.
std::string FirstSteps(const report::Explanation& explanation, Details details) {
  std::string html =
      std::string("<div class=\"first\" id=\"first\"") + (explanation.urgent == 0 ? " hidden" : "") + ">";
  if (explanation.urgent > 0) {
    const report::Statement& first = explanation.what_to_do.front();
    html +=
        "<p>" + html::Prose(first.Text(details == Details::kShow)) + "</p>" +
        (first.command.empty() ? "" : html::Command(first.Command(details == Details::kShow))) +
        "<p><a href=\"#what-to-do\">" +
        (explanation.urgent > 1 ? "The same at " + html::Count(explanation.urgent - 1, "more place", "more places") +
                                      " (run all at the same time), and all steps"
                                : "All steps") +
        "</a></p>";
  }
  return html + "</div>\n";
}

}  // namespace

std::string VerdictSection(const report::Report& report, Details details) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const diagnosis::Risk& risk = diagnosis.risk;
  std::string html = "<section class=\"verdict\" aria-labelledby=\"stage\">\n<div class=\"headline\">" +
                     charts::StageIcon(risk.stage) + "<h1 id=\"stage\">" + Title(risk.stage) + "</h1>";
  html += risk.score ? "<p class=\"score\"><span class=\"unseen\">Risk score </span><b>" +
                           std::to_string(std::lround(*risk.score)) + "</b> of 100</p>"
                     : "<p class=\"score\">no score</p>";
  html += "</div>\n<p class=\"summary\">" + html::Prose(report.explanation.verdict) + "</p>\n" + "<p class=\"cause\"" +
          (report.explanation.cause.empty() ? " hidden" : "") + ">" + html::Prose(report.explanation.cause) + "</p>\n" +
          FirstSteps(report.explanation, details) + charts::ScoreScale(risk.stage, risk.score) +
          "\n<p class=\"when\">As of " + TimeOfDay(diagnosis.at) + ".";
  if (diagnosis.last_evidence) {
    html += " Last proven failure " +
            html::Duration(std::chrono::duration<double>(diagnosis.at - *diagnosis.last_evidence).count()) + " ago.";
  }
  return html + "</p>\n</section>\n";
}

std::string Tiles(const diagnosis::Diagnosis& diagnosis) {
  const auto& stuck = diagnosis.stuck;
  const auto& live = diagnosis.live;
  const auto* stats = diagnosis.snapshot->Find<sources::ConntrackStatsSample>();
  std::string html = "<dl class=\"tiles\" aria-label=\"Key numbers\">\n";
  html += Tile("Stuck now", stuck ? std::optional<std::uint64_t>(stuck->sockets.size()) : std::nullopt,
               stuck ? html::Number(EverStuck(*stuck)) + " since the exporter started" : "", true);
  html += Tile("Would stick if closed", live ? std::optional(live->WouldStick()) : std::nullopt,
               live ? "of " + html::Count(live->open, "open connection", "open connections") : "", true);
  html += Tile("Losing their entry soon", live ? live->expiring : std::nullopt, "and no keepalive due before", false);
  html += Tile("Conntrack entries", stats != nullptr ? stats->entries : std::nullopt,
               stats != nullptr ? TableFill(*stats) : "", false);
  return html + "</dl>\n";
}

}  // namespace finwait::views::page
