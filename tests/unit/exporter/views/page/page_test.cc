#include "exporter/views/page/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace finwait::views::page {
namespace {

using testing::HasSubstr;
using testing::Not;

// A host that nothing is known of.
diagnosis::Diagnosis Blind() {
  diagnosis::Diagnosis diagnosis;
  diagnosis.snapshot = std::make_shared<scheduling::Snapshot>();
  return diagnosis;
}

diagnosis::Diagnosis WithAStuckSocket() {
  diagnosis::Diagnosis diagnosis = Blind();
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
  diagnosis.explanation.why = {{"INVALID packets are dropped", "-A OUTPUT <comment>"}};
  return diagnosis;
}

TEST(PageTest, ABlindHostHasNoScoreAndNoZeros) {
  const std::string page = ReportPage(Blind(), {});
  EXPECT_THAT(page, HasSubstr("<h1 id=\"stage\">Cannot tell</h1><p class=\"score\">no score</p>"));
  EXPECT_THAT(page, HasSubstr("data-stage=\"unknown\""));
  EXPECT_THAT(page, Not(HasSubstr("<dd class=\"number\">0</dd>")));
  EXPECT_THAT(page, Not(HasSubstr("0%</td>")));
}

TEST(PageTest, AFailingHostSaysStageAndScoreInTheTabToo) {
  const std::string page = ReportPage(WithAStuckSocket(), {Details::kHide, "/metrics", "web-1"});
  EXPECT_THAT(page, HasSubstr("<title>failing 74 on web-1 – finwait_exporter</title>"));
  EXPECT_THAT(page, HasSubstr("<h1 id=\"stage\">Failing</h1>"));
  EXPECT_THAT(page, HasSubstr("<b>74</b> of 100"));
}

TEST(PageTest, WithoutDetailsStuckSocketsShareARowAndRulesStayOut) {
  const std::string page = ReportPage(WithAStuckSocket(), {});
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">FIN_WAIT_1</th><td>local_drop</td><td>12</td>"));
  EXPECT_THAT(page, Not(HasSubstr("40000")));
  EXPECT_THAT(page, Not(HasSubstr("-A OUTPUT")));
  EXPECT_THAT(page, HasSubstr("--report.details"));
}

TEST(PageTest, WithDetailsTheOldestSocketsAreListedAndRulesAreEscaped) {
  const std::string page = ReportPage(WithAStuckSocket(), {Details::kShow, "/metrics", ""});
  EXPECT_THAT(page, HasSubstr("The 10 oldest of 12 stuck sockets"));
  EXPECT_THAT(page, HasSubstr("0.0.0.0:40000"));
  EXPECT_THAT(page, HasSubstr("-A OUTPUT &lt;comment&gt;"));
}

TEST(PageTest, EverySectionIsThereInEveryStateSoThatAnUpdateFindsItsPlace) {
  for (const diagnosis::Diagnosis& diagnosis : {Blind(), WithAStuckSocket()}) {
    const std::string page = ReportPage(diagnosis, {});
    for (const char* id : {"stuck", "would-stick", "why", "what-to-do", "will-not-help", "cannot-see", "factors",
                           "ages", "timeouts", "paths", "collectors"}) {
      EXPECT_THAT(page, HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
    }
  }
}

TEST(PageTest, LinksAreRelativeAndTheTelemetryPathIsEscaped) {
  const std::string page = ReportPage(Blind(), {Details::kHide, "/my\"metrics", ""});
  EXPECT_THAT(page, HasSubstr("href=\"my&quot;metrics\""));
  EXPECT_THAT(page, HasSubstr("href=\"api/v1/report\""));
}

}  // namespace
}  // namespace finwait::views::page
