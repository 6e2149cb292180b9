#include <algorithm>
#include <cmath>
#include <numeric>

#include "exporter/report/phrases.h"
#include "exporter/views/page/html.h"
#include "exporter/views/page/sections.h"

namespace finwait::views::page {
namespace {

// More rows than this help nobody; the report has them all.
constexpr std::size_t kMostRows = 10;

std::string List(const std::vector<diagnosis::Statement>& statements, Details details, const char* tag,
                 const char* style) {
  std::string html = std::string("<") + tag + " class=\"statements " + style + "\">\n";
  for (const diagnosis::Statement& statement : statements) {
    html += "<li>" + html::Prose(statement.text);
    if (details == Details::kShow && !statement.detail.empty()) {
      html += "<code class=\"detail\">" + html::Escape(statement.detail) + "</code>";
    }
    if (!statement.command.empty()) {
      html += "<code class=\"detail\">" + html::Escape(statement.command) + "</code>";
    }
    html += "</li>\n";
  }
  return html + "</" + tag + ">\n";
}

// `otherwise` stands where there is nothing to say; empty: then the section is hidden.
std::string Section(const char* id, const char* title, const std::string& content, const char* otherwise) {
  const bool nothing = content.empty();
  return std::string("<section id=\"") + id + "\" aria-labelledby=\"" + id + "-title\"" +
         (nothing && *otherwise == '\0' ? " hidden" : "") + "><h2 id=\"" + id + "-title\">" + title + "</h2>\n" +
         (nothing ? std::string("<p class=\"fine\">") + otherwise + "</p>\n" : content) + "</section>\n";
}

std::string Statements(const std::vector<diagnosis::Statement>& statements, Details details, const char* tag,
                       const char* style) {
  return statements.empty() ? "" : List(statements, details, tag, style);
}

std::string Cell(const std::string& content, const char* style = "") {
  return std::string("<td") + (*style == '\0' ? "" : std::string(" class=\"") + style + "\"") + ">" + content + "</td>";
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

std::string Endpoints(const Endpoint& local, const Endpoint& peer) {
  return "<th scope=\"row\" class=\"endpoints\">" + html::Escape(local.Text()) + " → " + html::Escape(peer.Text()) +
         "</th>";
}

std::string CauseName(const diagnosis::StuckSocket& socket) {
  return socket.cause ? std::string(Name(*socket.cause)) : "cannot tell";
}

std::string StuckSockets(const diagnosis::StuckSummary& stuck) {
  std::string rows;
  const std::size_t shown = std::min(stuck.sockets.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) {
    const diagnosis::StuckSocket& one = stuck.sockets[i];
    rows += "<tr>" + Endpoints(one.socket.local, one.socket.peer) + Cell(report::KernelName(one.socket.state)) +
            Cell(CauseName(one)) + Cell(html::Duration(one.age.count())) + Cell(html::Number(one.socket.tries)) +
            Cell(one.socket.orphan ? "gone" : "still there") + "</tr>\n";
  }
  const std::string about = shown < stuck.sockets.size()
                                ? "The " + std::to_string(shown) + " oldest of " + html::Number(stuck.sockets.size()) +
                                      " stuck sockets; the report lists more"
                                : "The stuck sockets, oldest first";
  return Table(about, {"Connection", "State", "Cause", "Age", "Tries", "Process"}, rows);
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
    const std::string cause = CauseName(one);
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

std::string SocketsAtRisk(const diagnosis::LiveSummary& live) {
  std::string rows;
  const std::size_t shown = std::min(live.sockets.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) {
    const diagnosis::AtRiskSocket& one = live.sockets[i];
    rows += "<tr>" + Endpoints(one.socket.local, one.socket.peer) + Cell(report::KernelName(one.socket.state)) +
            Cell(std::string(Name(one.fate)) + (one.reason.empty() ? "" : ": " + html::Escape(one.reason))) +
            Cell(!one.past.keepalive   ? "unknown"
                 : *one.past.keepalive ? "on"
                                       : "off") +
            "</tr>\n";
  }
  const std::uint64_t all = std::accumulate(live.at_risk.begin(), live.at_risk.end(), std::uint64_t{0});
  const std::string about = shown < all ? std::to_string(shown) + " of " + html::Number(all) + " such connections"
                                        : "The connections that would stick";
  return Table(about, {"Connection", "State", "Fate", "Keepalive"}, rows);
}

std::string Stuck(const diagnosis::Diagnosis& diagnosis, Details details) {
  std::string content = Statements(diagnosis.explanation.stuck, details, "ul", "alarm");
  if (diagnosis.stuck && !diagnosis.stuck->sockets.empty()) {
    content += details == Details::kShow ? StuckSockets(*diagnosis.stuck) : StuckKinds(*diagnosis.stuck);
  }
  return Section("stuck", "Stuck now", content,
                 diagnosis.stuck ? "Nothing is stuck." : "Cannot tell: closing sockets cannot be read.");
}

std::string WouldStick(const diagnosis::Diagnosis& diagnosis, Details details) {
  std::string content = Statements(diagnosis.explanation.would_stick, details, "ul", "alarm");
  if (details == Details::kShow && diagnosis.live && !diagnosis.live->sockets.empty()) {
    content += SocketsAtRisk(*diagnosis.live);
  }
  return Section("would-stick", "Would stick if closed now", content,
                 diagnosis.live ? "No open connection would." : "Cannot tell: see what this look cannot see.");
}

std::string CannotSee(const diagnosis::Diagnosis& diagnosis, Details details) {
  std::vector<diagnosis::Statement> statements = diagnosis.explanation.cannot_see;
  if (details == Details::kHide) {
    statements.push_back(
        {"Addresses and rules' text are left out of this page. `finwait_exporter check`, run on the "
         "host, shows them; so does the page when the exporter runs with `--report.details`.",
         ""});
  }
  return Section("cannot-see", "What this look cannot see", Statements(statements, details, "ul", "blind fine"), "");
}

}  // namespace

std::string Findings(const diagnosis::Diagnosis& diagnosis, Details details) {
  const diagnosis::Explanation& words = diagnosis.explanation;
  return Stuck(diagnosis, details) + WouldStick(diagnosis, details) +
         Section("why", "Why", Statements(words.why, details, "ul", ""), "") +
         Section("what-to-do", "What to do", Statements(words.what_to_do, details, "ol", "steps"), "") +
         Section("will-not-help", "What will not help", Statements(words.will_not_help, details, "ul", "vain"), "") +
         CannotSee(diagnosis, details);
}

}  // namespace finwait::views::page
