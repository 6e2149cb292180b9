#include "exporter/views/text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <sstream>

#include "collectors/base/text.h"
#include "collectors/firewall/model/rule_id.h"
#include "exporter/report/report_text.h"
#include "exporter/views/json.h"

namespace finwait::views {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kMostSockets = 20;
constexpr std::size_t kMostGroups = 10;
// Statements of one id beyond these (the same advice for many places) are counted.
constexpr std::size_t kMostOfOneId = 10;

// Text from the kernel may hold anything, and a terminal must not act on it: what comes from there is shown
// Printable(). `text` with its lines broken at spaces, the first behind `first`, the others behind `indent`.
void Wrap(const std::string& text, const std::string& first, const std::string& indent, std::ostringstream& out) {
  std::istringstream stream(Printable(text));
  std::string line = first;
  bool empty = true;
  for (std::string word; stream >> word;) {
    if (!empty && line.size() + 1 + word.size() > kWidth) {
      out << line << "\n";
      line = indent;
      empty = true;
    }
    line += (empty ? "" : " ") + word;
    empty = false;
  }
  out << line << "\n";
}

void Statement(const report::Statement& statement, std::ostringstream& out) {
  Wrap(statement.text, "  - ", "    ", out);
  if (!statement.detail.empty()) {
    out << "      " << Printable(statement.detail) << "\n";
  }
  if (!statement.command.empty()) {
    out << "      $ " << Printable(statement.command) << "\n";
  }
}

void Section(const char* title, std::span<const report::Statement> statements, std::ostringstream& out) {
  if (statements.empty()) {
    return;
  }
  out << "\n" << title << "\n";
  std::map<std::string, std::size_t> of_id;
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const std::string& id = statements[i].id;
    const std::size_t known = id.empty() ? 0 : of_id[id]++;
    if (known < kMostOfOneId) {
      Statement(statements[i], out);
    }
    const bool last_of_id = i + 1 == statements.size() || statements[i + 1].id != id;
    if (last_of_id && known >= kMostOfOneId) {
      out << "      ... and the same at " << Counted(known + 1 - kMostOfOneId, "more place", "more places")
          << " (check --format=json has each" << (statements[i].command.empty() ? "" : " command") << ")\n";
    }
  }
}

// The piece of advice that helps most of what cannot wait: before everything else, so that it is on the first screen.
void DoFirst(const report::Explanation& explanation, std::ostringstream& out) {
  if (explanation.urgent == 0) {
    return;
  }
  out << "\nWhat to do first\n";
  Statement(explanation.what_to_do.front(), out);
  if (explanation.urgent > 1) {
    Wrap("... and at " + Counted(explanation.urgent - 1, "more place", "more places") +
             ": see What to do. Run all at the same time.",
         "      ", "      ", out);
  }
}

// What became of the connection's entry, as far as anybody saw.
std::string EntryText(const diagnosis::ConnectionHistory& history) {
  switch (history.entry_end) {
    case diagnosis::ExpiryReason::kTimedOut:
      return ", entry timed out" + (history.entry_state ? " in " + UpperCase(Name(*history.entry_state)) : "");
    case diagnosis::ExpiryReason::kRemoved:
      return ", entry removed before its time";
    case diagnosis::ExpiryReason::kStillThere:
      return ", entry present";
    case diagnosis::ExpiryReason::kNeverSeen:
    case diagnosis::ExpiryReason::kUnknown:
      return "";
  }
  return "";
}

// Whose it is, where that is known.
template <typename Socket>
std::string OfOwner(const Socket& one) {
  return one.owner != nullptr ? ", " + Printable(one.owner->Text()) : "";
}

std::string KeepaliveText(const diagnosis::ConnectionHistory& history) {
  return !history.keepalive ? "" : *history.keepalive ? ", keepalive on" : ", keepalive off";
}

std::string CauseText(const std::optional<diagnosis::Cause>& cause) {
  return std::string(cause ? Name(*cause) : "cause unknown");
}

void OneSocket(const diagnosis::StuckSocket& one, const char* before, std::ostringstream& out) {
  out << before << one.socket.local.Text() << " -> " << one.socket.peer.Text() << "  "
      << report::KernelName(one.socket.state) << "  " << CauseText(one.cause) << "  "
      << report::Lasting(one.age.count()) << ", " << Counted(one.socket.tries, "try", "tries")
      << (one.socket.orphan ? ", no process" : "") << OfOwner(one) << EntryText(one.history)
      << KeepaliveText(one.history) << "\n";
}

// `left`: how many of `all` were not shown; `in_json`: how many the JSON report lists.
void NotShown(std::uint64_t left, std::uint64_t all, std::size_t in_json, std::ostringstream& out) {
  if (left > 0) {
    out << "      ... and " << left << " more (check --format=json lists "
        << (all > in_json ? std::to_string(in_json) + " of " + std::to_string(all) : "them") << ")\n";
  }
}

// Those that share an end, cause, rule and owner in one piece, with the oldest as an example; then the single ones.
// Under a line of their own where the lines above are of several causes.
void StuckSockets(const diagnosis::StuckSummary& stuck, const std::vector<report::SocketGroup>& groups,
                  bool several_lines, std::ostringstream& out) {
  if (!groups.empty() && several_lines) {
    out << "  - Of these, the largest groups and the oldest sockets:\n";
  }
  std::uint64_t left = stuck.sockets.size();
  std::size_t shown = 0;
  for (const report::SocketGroup& group : groups) {
    if (group.sockets < 2 || shown == kMostGroups) {
      break;
    }
    ++shown;
    left -= group.sockets;
    out << "      " << group.sockets << (group.at_peer ? " to " : " of ") << group.end.Text() << "  "
        << CauseText(group.cause) << "  " << Printable(report::OwnerText(group)) << ", oldest "
        << report::Lasting(group.oldest_seconds) << "\n";
    if (group.site != nullptr) {
      out << "        at " << Printable(Describe(group.site->rule)) << "\n";
    }
    OneSocket(stuck.sockets[group.example], "        such as ", out);
  }
  const bool single = shown < groups.size() && groups[shown].sockets < 2;
  for (std::size_t i = shown; single && i < groups.size() && i < shown + kMostSockets; ++i) {
    OneSocket(stuck.sockets[groups[i].example], "      ", out);
    --left;
  }
  NotShown(left, stuck.sockets.size(), std::min(stuck.sockets.size(), kMostSocketsInJson), out);
}

void OneAtRisk(const diagnosis::AtRiskSocket& one, const char* before, std::ostringstream& out) {
  out << before << one.socket.local.Text() << " -> " << one.socket.peer.Text() << "  "
      << report::KernelName(one.socket.state) << "  " << Name(one.fate)
      << (one.reason.empty() ? "" : ": " + Printable(one.reason)) << OfOwner(one) << EntryText(one.history)
      << KeepaliveText(one.history) << "\n";
}

// Those that one rule would lose in one piece, with one as an example; then the single ones.
void SocketsAtRisk(const diagnosis::LiveSummary& live, bool several_lines, std::ostringstream& out) {
  const std::uint64_t all = std::accumulate(live.at_risk.begin(), live.at_risk.end(), std::uint64_t{0});
  if (several_lines && all > 0 && !live.sockets.empty()) {
    out << "  - Of these, the largest groups:\n";
  }
  std::uint64_t left = all;
  std::size_t shown = 0;
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (one.stands_for == 0 || shown == (one.stands_for > 1 ? kMostGroups : kMostSockets)) {
      continue;
    }
    ++shown;
    left -= std::min(left, one.stands_for);
    if (one.stands_for == 1) {
      OneAtRisk(one, "      ", out);
      continue;
    }
    out << "      " << one.stands_for << " " << Name(one.fate);
    if (one.site) {
      out << " at " << Printable(Describe(one.site->rule));
    }
    OneAtRisk(one, "\n        such as ", out);
  }
  NotShown(left, all, live.sockets.size(), out);
}

}  // namespace

std::string ReportText(const report::Report& report) {
  std::ostringstream out;
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const report::Explanation& explanation = report.explanation;
  const std::string stage = diagnosis.risk.stage ? UpperCase(Name(*diagnosis.risk.stage)) : "CANNOT TELL";
  std::string verdict = explanation.verdict;
  if (diagnosis.risk.score) {
    verdict += " Risk " + std::to_string(std::lround(*diagnosis.risk.score)) + " of 100.";
  }
  Wrap(verdict, stage + ": ", "", out);
  if (!explanation.cause.empty()) {
    Wrap(explanation.cause, "", "", out);
  }
  DoFirst(explanation, out);
  Section("Stuck now", explanation.stuck, out);
  if (diagnosis.stuck) {
    StuckSockets(*diagnosis.stuck, report.stuck_groups, explanation.stuck.size() > 1, out);
  }
  Section("Would stick if closed now", explanation.would_stick, out);
  if (diagnosis.live) {
    SocketsAtRisk(*diagnosis.live, explanation.would_stick.size() > 1, out);
  }
  Section("Whose they are", explanation.owners, out);
  Section("Why", explanation.why, out);
  Section("Is this timeout safe?", explanation.timeouts, out);
  // What stands above is not said twice.
  Section("What to do", std::span(explanation.what_to_do).subspan(explanation.urgent > 0 ? 1 : 0), out);
  Section("What will not help", explanation.will_not_help, out);
  Section("Not observed", explanation.cannot_see, out);
  return out.str();
}

}  // namespace finwait::views
