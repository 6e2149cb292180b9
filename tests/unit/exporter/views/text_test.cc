#include "exporter/views/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace finwait::views {
namespace {

diagnosis::Diagnosis FailingHost() {
  diagnosis::Diagnosis diagnosis;
  diagnosis.snapshot = std::make_shared<const scheduling::Snapshot>();
  diagnosis.risk.stage = diagnosis::Stage::kFailing;
  diagnosis.risk.score = 81.6;
  return diagnosis;
}

report::Report TextReportOf(const diagnosis::Diagnosis& diagnosis) {
  report::Report report;
  report.diagnosis = std::make_shared<const diagnosis::Diagnosis>(diagnosis);
  report.explanation.verdict = "2 closed connections are stuck.";
  report.explanation.cause = "Conntrack forgot them.";
  if (diagnosis.stuck) {
    report.stuck_groups = report::GroupStuckSockets(diagnosis.stuck->sockets);
  }
  return report;
}

report::Report Failing() { return TextReportOf(FailingHost()); }

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

TEST(TextTest, TheFirstTwoLinesSayWhatAndWhy) {
  const auto lines = Lines(ReportText(Failing()));
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines[0], "FAILING: 2 closed connections are stuck. Risk 82 of 100.");
  EXPECT_EQ(lines[1], "Conntrack forgot them.");
}

TEST(TextTest, WhatCannotBeToldHasNoScore) {
  diagnosis::Diagnosis blind = FailingHost();
  blind.risk = diagnosis::Risk();
  EXPECT_TRUE(ReportText(TextReportOf(blind)).starts_with("CANNOT TELL: 2 closed connections are stuck.\n"));
}

TEST(TextTest, SectionsComeInOrderAndEmptyOnesNotAtAll) {
  report::Report report = Failing();
  report.explanation.stuck = {{"s."}};
  report.explanation.why = {{"w.", "-A OUTPUT -j DROP"}};
  report.explanation.timeouts = {{"t."}};
  report.explanation.what_to_do = {{"d.", "", "sysctl -w a=1", "id"}};
  report.explanation.cannot_see = {{"c."}};
  const std::string text = ReportText(report);
  std::size_t last = 0;
  for (const char* part :
       {"\nStuck now\n  - s.\n", "\nWhy\n  - w.\n      -A OUTPUT -j DROP\n", "\nIs this timeout safe?\n  - t.\n",
        "\nWhat to do\n  - d.\n      $ sysctl -w a=1\n", "\nNot observed\n  - c.\n"}) {
    const std::size_t at = text.find(part);
    ASSERT_NE(at, std::string::npos) << part << " in\n" << text;
    EXPECT_GT(at, last);
    last = at;
  }
  EXPECT_EQ(text.find("Would stick"), std::string::npos);
}

TEST(TextTest, LongSentencesAreBrokenAndCommandsAreNot) {
  report::Report report = Failing();
  std::string sentence;
  for (int i = 0; i < 60; ++i) {
    sentence += "words ";
  }
  report.explanation.what_to_do = {{sentence, "", sentence, "id"}};
  bool command = false;
  for (const std::string& line : Lines(ReportText(report))) {
    command = command || line.starts_with("      $ ");
    EXPECT_TRUE(line.size() <= 80 || line.starts_with("      $ ")) << line;
  }
  EXPECT_TRUE(command);
}

TEST(TextTest, ControlCharactersFromTheKernelDoNotReachTheTerminal) {
  report::Report report = Failing();
  report.explanation.why = {{"a\x1b[31mred", "rule\x07\n"}};
  const std::string text = ReportText(report);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
}

TEST(TextTest, EachStuckSocketShowsItsEntryAndKeepalive) {
  diagnosis::Diagnosis diagnosis = FailingHost();
  diagnosis.stuck.emplace();
  diagnosis::StuckSocket seen;
  seen.socket.local = *Endpoint::Parse("192.0.2.1:40000");
  seen.socket.peer = *Endpoint::Parse("[2001:db8::2]:80");
  seen.socket.state = kernel::TcpState::kFinWait1;
  seen.socket.tries = 4;
  seen.socket.orphan = true;
  seen.cause = diagnosis::Cause::kLocalDrop;
  seen.age = std::chrono::seconds(7);
  seen.history.entry_end = diagnosis::ExpiryReason::kTimedOut;
  seen.history.entry_state = kernel::ConntrackTcpState::kCloseWait;
  seen.history.keepalive = false;
  diagnosis::StuckSocket unseen = seen;
  unseen.history = diagnosis::ConnectionHistory();
  unseen.socket.local.port = 40001;  // else one line could stand for both
  unseen.socket.peer.port = 81;
  diagnosis.stuck->sockets = {seen, unseen};
  const std::string text = ReportText(TextReportOf(diagnosis));
  const std::string after = "  FIN_WAIT_1  local_drop  7 s, 4 tries, no process";
  EXPECT_NE(
      text.find("192.0.2.1:40000 -> [2001:db8::2]:80" + after + ", entry timed out in CLOSE_WAIT, keepalive off\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("192.0.2.1:40001 -> [2001:db8::2]:81" + after + "\n"), std::string::npos) << text;
}

TEST(TextTest, SocketsThatShareAnEndCauseAndOwnerAreOnePiece) {
  diagnosis::Diagnosis diagnosis = FailingHost();
  diagnosis.stuck.emplace();
  diagnosis::StuckSocket one;
  one.socket.peer = *Endpoint::Parse("192.0.2.2:80");
  one.socket.orphan = true;
  for (std::uint16_t port = 1; port <= 300; ++port) {
    one.socket.local = {*IpAddress::Parse("192.0.2.1"), port};
    diagnosis.stuck->sockets.push_back(one);
  }
  one.socket.peer.port = 443;
  one.socket.orphan = false;
  one.socket.uid = 33;
  diagnosis.stuck->sockets.push_back(one);
  const std::string text = ReportText(TextReportOf(diagnosis));
  EXPECT_NE(text.find("      300 to 192.0.2.2:80  cause unknown  no process, oldest 0 s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("        such as 192.0.2.1:1 -> 192.0.2.2:80"), std::string::npos) << text;
  EXPECT_NE(text.find("\n      192.0.2.1:300 -> 192.0.2.2:443"), std::string::npos) << text;
  EXPECT_EQ(text.find(" more"), std::string::npos) << text;
}

TEST(TextTest, SocketsAtRiskOfOneRuleAreOnePiece) {
  diagnosis::Diagnosis diagnosis = FailingHost();
  diagnosis.live.emplace();
  diagnosis.live->at_risk[0] = 303;
  diagnosis::AtRiskSocket one;
  one.fate = diagnosis::Fate::kFinDropped;
  one.socket.state = kernel::TcpState::kEstablished;
  one.socket.local = *Endpoint::Parse("192.0.2.1:1");
  one.socket.peer = *Endpoint::Parse("192.0.2.2:80");
  one.site.emplace();
  one.site->rule.table = "filter";
  one.site->rule.chain = "OUTPUT";
  one.site->rule.handle = 4;
  one.stands_for = 300;
  diagnosis.live->sockets.push_back(one);
  one.stands_for = 1;
  one.socket.local.port = 2;
  diagnosis.live->sockets.push_back(one);
  one.stands_for = 0;
  one.socket.local.port = 3;
  diagnosis.live->sockets.push_back(one);
  const std::string text = ReportText(TextReportOf(diagnosis));
  EXPECT_NE(text.find("      300 fin_dropped at "), std::string::npos) << text;
  EXPECT_NE(text.find("\n        such as 192.0.2.1:1 -> 192.0.2.2:80"), std::string::npos) << text;
  EXPECT_NE(text.find("\n      192.0.2.1:2 -> 192.0.2.2:80"), std::string::npos) << text;
  EXPECT_EQ(text.find("192.0.2.1:3"), std::string::npos) << text;
  EXPECT_NE(text.find("... and 2 more (check --format=json lists 3 of 303)"), std::string::npos) << text;
}

TEST(TextTest, VerdictCauseAndTheFirstCommandAreOnTheFirstScreen) {
  report::Report report = Failing();
  report.explanation.stuck = {{"stuck."}};
  const std::string advice =
      "Now: let 150 stuck sockets finish, on both ends. The kernel goes on retrying the FIN: let INVALID packets out "
      "before the rule in ip6tables-nft table filter, chain OUTPUT, handle 7 for a little longer than the longest wait "
      "between two tries.";
  report.explanation.what_to_do = {{advice, "", "ip6tables-nft -I OUTPUT", "finish_stuck"},
                                   {advice, "", "nft insert", "finish_stuck"},
                                   {"For good.", "", "good", "accept_closing"}};
  report.explanation.urgent = 2;
  const std::string text = ReportText(report);
  const auto lines = Lines(text);
  const auto command = std::find(lines.begin(), lines.end(), "      $ ip6tables-nft -I OUTPUT");
  EXPECT_LT(command - lines.begin(), 24) << text;
  EXPECT_LT(text.find("$ ip6tables-nft -I OUTPUT"), text.find("Stuck now")) << text;
  EXPECT_NE(text.find("... and at 1 more place: see What to do."), std::string::npos) << text;
  EXPECT_EQ(text.find("ip6tables-nft -I"), text.rfind("ip6tables-nft -I")) << "not said twice";
  EXPECT_NE(text.find("$ nft insert"), std::string::npos) << text;
}

}  // namespace
}  // namespace finwait::views
