#include <algorithm>
#include <map>
#include <numeric>

#include "exporter/report/report_text.h"
#include "exporter/views/page/html.h"
#include "exporter/views/page/sections.h"

namespace finwait::views::page {
namespace {

// More rows than this help nobody; the report has them all.
constexpr std::size_t kMostRows = 10;

// The same advice for more places than this is folded.
constexpr std::size_t kMostOfOneId = 4;

std::string Item(const report::Statement& statement, Details details) {
  std::string html = "<li>" + html::Prose(statement.Text(details == Details::kShow));
  if (details == Details::kShow && !statement.detail.empty()) {
    html += "<code class=\"detail\">" + html::Escape(statement.detail) + "</code>";
  }
  if (!statement.command.empty()) {
    html += html::Command(statement.Command(details == Details::kShow));
  }
  return html + "</li>\n";
}

std::string List(const std::vector<report::Statement>& statements, Details details, const char* tag,
                 const char* style) {
  const std::string open = std::string("<") + tag + " class=\"statements " + style + "\">\n";
  const std::string close = std::string("</") + tag + ">\n";
  std::string shown;
  std::string folded;
  std::size_t number_folded = 0;
  std::map<std::string, std::size_t> of_id;
  for (const report::Statement& statement : statements) {
    if (!statement.id.empty() && of_id[statement.id]++ >= kMostOfOneId) {
      folded += Item(statement, details);
      ++number_folded;
    } else {
      shown += Item(statement, details);
    }
  }
  std::string html = open + shown + close;
  if (number_folded > 0) {
    html += "<details><summary>The same at " + html::Count(number_folded, "more place", "more places") + "</summary>" +
            open + folded + close + "</details>\n";
  }
  return html;
}

// `otherwise` stands where there is nothing to say; empty: then the section is hidden.
std::string Section(const char* id, const char* title, const std::string& content, const char* otherwise) {
  const bool nothing = content.empty();
  return std::string("<section id=\"") + id + "\" aria-labelledby=\"" + id + "-title\"" +
         (nothing && *otherwise == '\0' ? " hidden" : "") + "><h2 id=\"" + id + "-title\">" + title + "</h2>\n" +
         (nothing ? std::string("<p class=\"fine\">") + otherwise + "</p>\n" : content) + "</section>\n";
}

std::string Statements(const std::vector<report::Statement>& statements, Details details, const char* tag,
                       const char* style) {
  return statements.empty() ? "" : List(statements, details, tag, style);
}

std::string Cell(const std::string& content, const char* style = "") {
  return std::string("<td") + (*style == '\0' ? "" : std::string(" class=\"") + style + "\"") + ">" + content + "</td>";
}

// A cell that says its column's name itself where a narrow screen stacks the cells of a row.
std::string Named(const char* column, const std::string& content) {
  return std::string("<td data-name=\"") + column + "\">" + content + "</td>";
}

// A table that scrolls by itself where the screen is too narrow for it. `about`: its caption, and its region's name.
std::string Table(const std::string& about, const std::vector<const char*>& columns, const std::string& rows) {
  // The visible words stand outside of what scrolls; a screen reader has them from the region and the caption.
  std::string html = "<p class=\"about table-title\" aria-hidden=\"true\">" + about +
                     "</p>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + about +
                     "\"><table><caption class=\"unseen\">" + about + "</caption><thead><tr>";
  for (const char* column : columns) {
    html += std::string("<th scope=\"col\">") + column + "</th>";
  }
  return html + "</tr></thead>\n<tbody>\n" + rows + "</tbody></table></div>\n";
}

// The peer, and below it this host's end: side by side two IPv6 addresses are wider than a column. `rule`: may be
// empty.
std::string Endpoints(const Endpoint& local, const Endpoint& peer, const std::string& rule = "") {
  return "<th scope=\"row\" class=\"endpoints\"><span class=\"peer\">→ " + html::Escape(peer.Text()) +
         "</span> <span class=\"local\">" + html::Escape(local.Text()) + "</span>" +
         (rule.empty() ? "" : " <span class=\"local\">" + html::Escape(rule) + "</span>") + "</th>";
}

std::string CauseName(const std::optional<diagnosis::Cause>& cause) {
  return cause ? std::string(Name(*cause)) : "cannot tell";
}

std::string SingleSockets(const diagnosis::StuckSummary& stuck) {
  std::string rows;
  const std::size_t shown = std::min(stuck.sockets.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) {
    const diagnosis::StuckSocket& one = stuck.sockets[i];
    rows += "<tr>" + Endpoints(one.socket.local, one.socket.peer) +
            Named("State", report::KernelName(one.socket.state)) + Named("Cause", CauseName(one.cause)) +
            Named("Age", html::Duration(one.age.count())) + Named("Tries", html::Number(one.socket.tries)) +
            Named("Process", one.socket.orphan ? "gone" : "uid " + std::to_string(one.socket.uid)) + "</tr>\n";
  }
  const std::string about = shown < stuck.sockets.size()
                                ? "The " + std::to_string(shown) + " oldest of " + html::Number(stuck.sockets.size()) +
                                      " stuck sockets; the report lists more"
                                : "The stuck sockets, oldest first";
  return "<details><summary>Single sockets</summary>\n" +
         Table(about, {"Connection", "State", "Cause", "Age", "Tries", "Process"}, rows) + "</details>\n";
}

std::string GroupRow(const report::SocketGroup& group, const diagnosis::StuckSocket& example) {
  return "<tr><th scope=\"row\" class=\"endpoints\"><span class=\"peer\">" + std::string(group.at_peer ? "→ " : "") +
         html::Escape(group.end.Text()) + "</span>" +
         (group.site != nullptr ? " <span class=\"local\">" + html::Escape(Describe(group.site->rule)) + "</span>"
                                : "") +
         " <span class=\"local\">" + (group.sockets > 1 ? "such as " : "") +
         html::Escape(group.at_peer ? example.socket.local.Text() : example.socket.peer.Text()) + "</span></th>" +
         Named("Sockets", html::Number(group.sockets)) + Named("Cause", CauseName(group.cause)) +
         Named("Oldest", html::Duration(group.oldest_seconds)) +
         Named("Process", html::Escape(report::OwnerText(group))) + "</tr>\n";
}

std::string StuckSockets(const diagnosis::StuckSummary& stuck, const std::vector<report::SocketGroup>& groups) {
  std::string rows;
  const std::size_t shown = std::min(groups.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) {
    rows += GroupRow(groups[i], stuck.sockets[groups[i].example]);
  }
  const char* ends = !groups.empty() && !groups.front().at_peer ? "this host's end" : "peer";
  const std::string about =
      "The stuck sockets by " + std::string(ends) + ", rule and owner, " +
      (shown < groups.size() ? "the " + std::to_string(shown) + " largest of " + html::Number(groups.size()) + " groups"
                             : "largest group first");
  return Table(about, {"Connections", "Sockets", "Cause", "Oldest", "Process"}, rows) + SingleSockets(stuck);
}

// Without addresses one socket is like another: those of one state and cause share a row.
std::string StuckKinds(const diagnosis::StuckSummary& stuck) {
  struct Kind {
    kernel::TcpState state;
    std::string cause;
    std::uint64_t number = 0;
    double oldest = 0;
    std::uint32_t most_tries = 0;
  };
  std::vector<Kind> kinds;
  for (const diagnosis::StuckSocket& one : stuck.sockets) {
    const std::string cause = CauseName(one.cause);
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& known) {
      return known.state == one.socket.state && known.cause == cause;
    });
    if (kind == kinds.end()) {
      kind = kinds.insert(kinds.end(), {one.socket.state, cause});
    }
    ++kind->number;
    kind->oldest = std::max(kind->oldest, one.age.count());
    kind->most_tries = std::max(kind->most_tries, one.socket.tries);
  }
  std::string rows;
  for (const Kind& kind : kinds) {
    rows += "<tr><th scope=\"row\">" + report::KernelName(kind.state) + "</th>" + Cell(kind.cause) +
            Cell(html::Number(kind.number)) + Cell(html::Duration(kind.oldest)) + Cell(html::Number(kind.most_tries)) +
            "</tr>\n";
  }
  return Table("The stuck sockets by state and cause", {"State", "Cause", "Sockets", "Oldest", "Most tries"}, rows);
}

// One row for all that one rule would lose, with one as an example.
std::string SocketsAtRisk(const diagnosis::LiveSummary& live) {
  std::string rows;
  std::size_t shown = 0;
  std::uint64_t told = 0;
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (one.stands_for == 0) {
      continue;  // another one stands for it
    }
    if (shown == kMostRows) {
      break;
    }
    ++shown;
    told += one.stands_for;
    rows += "<tr>" + Endpoints(one.socket.local, one.socket.peer, one.site ? Describe(one.site->rule) : "") +
            Named("Sockets", html::Number(one.stands_for)) + Named("State", report::KernelName(one.socket.state)) +
            Named("Fate", std::string(Name(one.fate)) + (one.reason.empty() ? "" : ": " + html::Escape(one.reason))) +
            Named("Keepalive", !one.history.keepalive   ? "unknown"
                               : *one.history.keepalive ? "on"
                                                        : "off") +
            "</tr>\n";
  }
  const std::uint64_t all = std::accumulate(live.at_risk.begin(), live.at_risk.end(), std::uint64_t{0});
  const std::string about = "The connections that would stick, an example for each rule" +
                            (told < all ? "; " + html::Number(all - told) + " more are not shown" : std::string());
  return Table(about, {"Such as", "Sockets", "State", "Fate", "Keepalive"}, rows);
}

std::string Stuck(const report::Report& report, Details details) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  std::string content = Statements(report.explanation.stuck, details, "ul", "alarm");
  if (diagnosis.stuck && !diagnosis.stuck->sockets.empty()) {
    content +=
        details == Details::kShow ? StuckSockets(*diagnosis.stuck, report.stuck_groups) : StuckKinds(*diagnosis.stuck);
  }
  return Section("stuck", "Stuck now", content,
                 diagnosis.stuck ? "Nothing is stuck." : "Cannot tell: closing sockets cannot be read.");
}

std::string WouldStick(const report::Report& report, Details details) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  std::string content = Statements(report.explanation.would_stick, details, "ul", "alarm");
  if (details == Details::kShow && diagnosis.live && !diagnosis.live->sockets.empty()) {
    content += SocketsAtRisk(*diagnosis.live);
  }
  return Section("would-stick", "Would stick if closed now", content,
                 diagnosis.live ? "No open connection would." : "Cannot tell: see what is not observed.");
}

std::string CannotSee(const report::Report& report, Details details) {
  std::vector<report::Statement> statements = report.explanation.cannot_see;
  if (details == Details::kHide) {
    statements.push_back(
        {"Addresses and rules' text are left out of this page. `finwait_exporter check`, run on the "
         "host, shows them; so does the page when the exporter runs with `--report.details`.",
         ""});
  }
  return Section("cannot-see", "Not observed", Statements(statements, details, "ul", "unobserved fine"), "");
}

}  // namespace

std::string Findings(const report::Report& report, Details details) {
  const report::Explanation& explanation = report.explanation;
  return Stuck(report, details) + WouldStick(report, details) +
         Section("why", "Why", Statements(explanation.why, details, "ul", ""), "") +
         Section("what-to-do", "What to do", Statements(explanation.what_to_do, details, "ol", "steps"), "") +
         Section("will-not-help", "What will not help", Statements(explanation.will_not_help, details, "ul", "vain"),
                 "") +
         CannotSee(report, details);
}

}  // namespace finwait::views::page
