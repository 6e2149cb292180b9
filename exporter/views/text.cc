#include "exporter/views/text.h"

#include <cmath>
#include <sstream>

#include "collectors/base/text.h"
#include "exporter/report/phrases.h"

namespace finwait::views {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kMostSockets = 20;

// Text from the kernel may hold anything, and a terminal must not act on it: what comes from there is shown
// Printable(). `text` with its lines broken at spaces, the first behind `first`, the others behind `indent`.
void Wrap(const std::string& text, const std::string& first, const std::string& indent, std::ostringstream& out) {
  std::istringstream words(Printable(text));
  std::string line = first;
  bool empty = true;
  for (std::string word; words >> word;) {
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

void Section(const char* title, const std::vector<diagnosis::Statement>& statements, std::ostringstream& out) {
  if (statements.empty()) {
    return;
  }
  out << "\n" << title << "\n";
  for (const diagnosis::Statement& statement : statements) {
    Wrap(statement.text, "  - ", "    ", out);
    if (!statement.detail.empty()) {
      out << "      " << Printable(statement.detail) << "\n";
    }
    if (!statement.command.empty()) {
      out << "      $ " << Printable(statement.command) << "\n";
    }
  }
}

// What became of the connection's entry, as far as anybody saw.
std::string EntryText(const diagnosis::ConnectionHistory& past) {
  switch (past.entry_end) {
    case diagnosis::ExpiryReason::kTimedOut:
      return ", entry timed out" + (past.entry_state ? " in " + UpperCase(Name(*past.entry_state)) : "");
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

std::string KeepaliveText(const diagnosis::ConnectionHistory& past) {
  return !past.keepalive ? "" : *past.keepalive ? ", keepalive on" : ", keepalive off";
}

void StuckSockets(const diagnosis::StuckSummary& stuck, std::ostringstream& out) {
  std::size_t shown = 0;
  for (const diagnosis::StuckSocket& one : stuck.sockets) {
    if (shown++ == kMostSockets) {
      out << "      ... and " << stuck.sockets.size() - kMostSockets << " more (check --format=json lists them)\n";
      break;
    }
    out << "      " << one.socket.local.Text() << " -> " << one.socket.peer.Text() << "  "
        << report::KernelName(one.socket.state) << "  " << (one.cause ? Name(*one.cause) : "cause unknown") << "  "
        << report::Lasting(one.age.count()) << ", " << Counted(one.socket.tries, "try", "tries")
        << (one.socket.orphan ? ", no process" : "") << EntryText(one.past) << KeepaliveText(one.past) << "\n";
  }
}

void SocketsAtRisk(const diagnosis::LiveSummary& live, std::ostringstream& out) {
  std::size_t shown = 0;
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (shown++ == kMostSockets) {
      out << "      ... and more (check --format=json lists up to " << diagnosis::LiveSummary::kMostListed << ")\n";
      break;
    }
    out << "      " << one.socket.local.Text() << " -> " << one.socket.peer.Text() << "  "
        << report::KernelName(one.socket.state) << "  " << Name(one.fate)
        << (one.reason.empty() ? "" : ": " + Printable(one.reason)) << EntryText(one.past) << KeepaliveText(one.past)
        << "\n";
  }
}

}  // namespace

std::string ReportText(const diagnosis::Diagnosis& diagnosis) {
  std::ostringstream out;
  const diagnosis::Explanation& words = diagnosis.explanation;
  const std::string stage = diagnosis.risk.stage ? UpperCase(Name(*diagnosis.risk.stage)) : "CANNOT TELL";
  std::string verdict = words.verdict;
  if (diagnosis.risk.score) {
    verdict += " Risk " + std::to_string(std::lround(*diagnosis.risk.score)) + " of 100.";
  }
  Wrap(verdict, stage + ": ", "", out);
  if (!words.cause.empty()) {
    Wrap(words.cause, "", "", out);
  }
  Section("Stuck now", words.stuck, out);
  if (diagnosis.stuck) {
    StuckSockets(*diagnosis.stuck, out);
  }
  Section("Would stick if closed now", words.would_stick, out);
  if (diagnosis.live) {
    SocketsAtRisk(*diagnosis.live, out);
  }
  Section("Why", words.why, out);
  Section("What to do", words.what_to_do, out);
  Section("What will not help", words.will_not_help, out);
  Section("What this look cannot see", words.cannot_see, out);
  return out.str();
}

}  // namespace finwait::views
