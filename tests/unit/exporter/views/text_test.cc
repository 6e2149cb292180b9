#include "exporter/views/text.h"

#include <gtest/gtest.h>

#include <sstream>

namespace finwait::views {
namespace {

diagnosis::Diagnosis Failing() {
  diagnosis::Diagnosis diagnosis;
  diagnosis.snapshot = std::make_shared<const scheduling::Snapshot>();
  diagnosis.risk.stage = diagnosis::Stage::kFailing;
  diagnosis.risk.score = 81.6;
  diagnosis.explanation.verdict = "2 closed connections are stuck.";
  diagnosis.explanation.cause = "Conntrack forgot them.";
  return diagnosis;
}

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
  diagnosis::Diagnosis blind = Failing();
  blind.risk = diagnosis::Risk();
  EXPECT_TRUE(ReportText(blind).starts_with("CANNOT TELL: 2 closed connections are stuck.\n"));
}

TEST(TextTest, SectionsComeInTheOrderInWhichTheyAreNeededAndEmptyOnesNotAtAll) {
  diagnosis::Diagnosis diagnosis = Failing();
  diagnosis.explanation.stuck = {{"s."}};
  diagnosis.explanation.why = {{"w.", "-A OUTPUT -j DROP"}};
  diagnosis.explanation.what_to_do = {{"d.", "", "sysctl -w a=1", "id"}};
  diagnosis.explanation.cannot_see = {{"c."}};
  const std::string text = ReportText(diagnosis);
  std::size_t last = 0;
  for (const char* part : {"\nStuck now\n  - s.\n", "\nWhy\n  - w.\n      -A OUTPUT -j DROP\n",
                           "\nWhat to do\n  - d.\n      $ sysctl -w a=1\n", "\nWhat this look cannot see\n  - c.\n"}) {
    const std::size_t at = text.find(part);
    ASSERT_NE(at, std::string::npos) << part << " in\n" << text;
    EXPECT_GT(at, last);
    last = at;
  }
  EXPECT_EQ(text.find("Would stick"), std::string::npos);
}

TEST(TextTest, LongSentencesAreBrokenAndCommandsAreNot) {
  diagnosis::Diagnosis diagnosis = Failing();
  std::string sentence;
  for (int i = 0; i < 60; ++i) {
    sentence += "words ";
  }
  diagnosis.explanation.what_to_do = {{sentence, "", sentence, "id"}};
  bool command = false;
  for (const std::string& line : Lines(ReportText(diagnosis))) {
    command = command || line.starts_with("      $ ");
    EXPECT_TRUE(line.size() <= 100 || line.starts_with("      $ ")) << line;
  }
  EXPECT_TRUE(command);
}

TEST(TextTest, ControlCharactersFromTheKernelDoNotReachTheTerminal) {
  diagnosis::Diagnosis diagnosis = Failing();
  diagnosis.explanation.why = {{"a\x1b[31mred", "rule\x07\n"}};
  const std::string text = ReportText(diagnosis);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
}

TEST(TextTest, EachStuckSocketShowsWhatBecameOfItsEntryAndKeepaliveWhereSomebodySaw) {
  diagnosis::Diagnosis diagnosis = Failing();
  diagnosis.stuck.emplace();
  diagnosis::StuckSocket seen;
  seen.socket.local = *Endpoint::Parse("192.0.2.1:40000");
  seen.socket.peer = *Endpoint::Parse("[2001:db8::2]:80");
  seen.socket.state = kernel::TcpState::kFinWait1;
  seen.socket.tries = 4;
  seen.socket.orphan = true;
  seen.cause = diagnosis::Cause::kLocalDrop;
  seen.age = std::chrono::seconds(7);
  seen.past.entry_end = diagnosis::ExpiryReason::kTimedOut;
  seen.past.entry_state = kernel::ConntrackTcpState::kCloseWait;
  seen.past.keepalive = false;
  diagnosis::StuckSocket unseen = seen;
  unseen.past = diagnosis::ConnectionHistory();
  diagnosis.stuck->sockets = {seen, unseen};
  const std::string text = ReportText(diagnosis);
  const std::string both = "192.0.2.1:40000 -> [2001:db8::2]:80  FIN_WAIT_1  local_drop  7 s, 4 tries, no process";
  EXPECT_NE(text.find(both + ", entry timed out in CLOSE_WAIT, keepalive off\n"), std::string::npos) << text;
  EXPECT_NE(text.find(both + "\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace finwait::views
