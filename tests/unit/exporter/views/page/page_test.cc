#include "exporter/views/page/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace finwait::views::page {
namespace {

using testing::HasSubstr;
using testing::Not;

// A host that nothing is known of.
diagnosis::Diagnosis BlindHost() {
  diagnosis::Diagnosis diagnosis;
  diagnosis.snapshot = std::make_shared<scheduling::Snapshot>();
  return diagnosis;
}

report::Report ReportOf(const diagnosis::Diagnosis& diagnosis) {
  report::Report report;
  report.diagnosis = std::make_shared<const diagnosis::Diagnosis>(diagnosis);
  if (diagnosis.stuck) {
    report.stuck_groups = report::GroupStuckSockets(diagnosis.stuck->sockets);
  }
  return report;
}

report::Report Blind() { return ReportOf(BlindHost()); }

report::Report WithStuckSockets() {
  diagnosis::Diagnosis diagnosis = BlindHost();
  diagnosis.risk.stage = diagnosis::Stage::kFailing;
  diagnosis.risk.score = 74.2;
  diagnosis.stuck.emplace();
  diagnosis::StuckSocket stuck;
  stuck.cause = diagnosis::Cause::kLocalDrop;
  stuck.socket.local.port = 40000;
  stuck.socket.state = kernel::TcpState::kFinWait1;
  stuck.socket.tries = 4;
  stuck.age = std::chrono::seconds(24);
  diagnosis.stuck->sockets.assign(12, stuck);
  diagnosis.paths.emplace();  // everything passes in general
  report::Report report = ReportOf(diagnosis);
  report.explanation.why = {{"INVALID packets are dropped", "-A OUTPUT <comment>"}};
  report.explanation.what_to_do = {{"Now: let them finish.", "", "iptables <here>", "finish_stuck"}};
  report.explanation.urgent = 1;
  report.dropped_for_some[0][diagnosis::Index(diagnosis::PathPacket::kFin)] = true;
  return report;
}

TEST(PageTest, ABlindHostHasNoScoreAndNoZeros) {
  const std::string page = ReportPage(Blind(), {});
  EXPECT_THAT(page, HasSubstr("<h1 id=\"stage\">Cannot tell</h1><p class=\"score\">no score</p>"));
  EXPECT_THAT(page, HasSubstr("data-stage=\"unknown\""));
  EXPECT_THAT(page, Not(HasSubstr("<dd class=\"number\">0</dd>")));
  EXPECT_THAT(page, Not(HasSubstr("0%</td>")));
}

TEST(PageTest, AFailingHostSaysStageAndScoreInTheTabToo) {
  const std::string page = ReportPage(WithStuckSockets(), {Details::kHide, "/metrics", "web-1"});
  EXPECT_THAT(page, HasSubstr("<title>failing 74 on web-1 – finwait_exporter</title>"));
  EXPECT_THAT(page, HasSubstr("<h1 id=\"stage\">Failing</h1>"));
  EXPECT_THAT(page, HasSubstr("<b>74</b> of 100"));
}

TEST(PageTest, WithoutDetailsStuckSocketsShareARowAndRulesStayOut) {
  const std::string page = ReportPage(WithStuckSockets(), {});
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">FIN_WAIT_1</th><td>local_drop</td><td>12</td>"));
  EXPECT_THAT(page, Not(HasSubstr("40000")));
  EXPECT_THAT(page, Not(HasSubstr("-A OUTPUT")));
  EXPECT_THAT(page, HasSubstr("--report.details"));
}

TEST(PageTest, WithDetailsTheOldestSocketsAreListedAndRulesAreEscaped) {
  const std::string page = ReportPage(WithStuckSockets(), {Details::kShow, "/metrics", ""});
  EXPECT_THAT(page, HasSubstr("The 10 oldest of 12 stuck sockets"));
  EXPECT_THAT(page, HasSubstr("0.0.0.0:40000"));
  EXPECT_THAT(page, HasSubstr("-A OUTPUT &lt;comment&gt;"));
}

TEST(PageTest, SocketsThatShareAnEndAreOneRowAndSingleOnesAreFolded) {
  const std::string page = ReportPage(WithStuckSockets(), {Details::kShow, "/metrics", ""});
  EXPECT_THAT(page, HasSubstr("</th><td data-name=\"Sockets\">12</td><td data-name=\"Cause\">local_drop</td>"));
  const std::size_t folded = page.find("<details><summary>Single sockets");
  ASSERT_NE(folded, std::string::npos);
  EXPECT_GT(page.find("The 10 oldest of 12"), folded);
}

TEST(PageTest, WhatToDoFirstStandsWithTheVerdictAndCanBeCopied) {
  const std::string page = ReportPage(WithStuckSockets(), {});
  const std::size_t first = page.find("<code class=\"detail\">iptables &lt;here&gt;</code><button type=\"button\"");
  ASSERT_NE(first, std::string::npos);
  EXPECT_LT(first, page.find("class=\"tiles\""));
  EXPECT_THAT(ReportPage(Blind(), {}), HasSubstr("id=\"first\" hidden>"));
}

TEST(PageTest, ARuleForSomeConnectionsIsNotShownAsPassing) {
  const std::string page = ReportPage(WithStuckSockets(), {});
  const std::size_t row = page.find("FIN, on its way out");
  const std::string cells = page.substr(row, page.find("</tr>", row) - row);
  EXPECT_THAT(cells, HasSubstr("<td class=\"word some\"><span aria-hidden=\"true\">✕ </span>for some</td>"));
  EXPECT_THAT(cells, HasSubstr("passes")) << "IPv6 has no such rule";
}

TEST(PageTest, EverySectionIsThereInEveryStateSoThatAnUpdateFindsItsPlace) {
  for (const report::Report& report : {Blind(), WithStuckSockets()}) {
    const std::string page = ReportPage(report, {});
    for (const char* id : {"stuck", "would-stick", "why", "what-to-do", "will-not-help", "cannot-see", "factors",
                           "ages", "silence", "timeouts", "paths", "collectors"}) {
      EXPECT_THAT(page, HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
    }
  }
}

TEST(PageTest, WhetherATimeoutIsSafeStandsAboveTheCurve) {
  diagnosis::Diagnosis diagnosis = BlindHost();
  diagnosis.idle.emplace();
  report::Report report = ReportOf(diagnosis);
  report.explanation.timeouts = {{"A timeout of <20 s> is not safe."}};
  EXPECT_THAT(ReportPage(report, {}), HasSubstr(">A timeout of &lt;20 s&gt; is not safe.</p>\n</div>\n<figure>"));
}

TEST(PageTest, LinksAreRelativeAndTheTelemetryPathIsEscaped) {
  const std::string page = ReportPage(Blind(), {Details::kHide, "/my\"metrics", ""});
  EXPECT_THAT(page, HasSubstr("href=\"my&quot;metrics\""));
  EXPECT_THAT(page, HasSubstr("href=\"api/v1/report\""));
}

}  // namespace
}  // namespace finwait::views::page
