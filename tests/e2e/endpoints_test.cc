// Every path of the contract, as a client meets it.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"

namespace finwait::e2e {
namespace {

class EndpointsTest : public testing::Test {
 protected:
  lab::Namespace where_;
  Program program_{where_};
};

TEST_F(EndpointsTest, TellThatTheProcessServesAndIsReady) {
  for (const char* path : {"/healthz", "/-/healthy", "/readyz", "/-/ready"}) {
    EXPECT_EQ(program_.Get(path).status, 200) << path;
  }
}

TEST_F(EndpointsTest, HealthGivesTheVerdictAndTakesALine) {
  const auto health = program_.Get("/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(nlohmann::json::parse(health.body)["stage"], "none");
  EXPECT_EQ(program_.Get("/health?fail-on=exposed").status, 200);
  EXPECT_EQ(program_.Get("/health?fail-on=nonsense").status, 400);
}

TEST_F(EndpointsTest, TheReportIsTheWholeDiagnosis) {
  const auto report = nlohmann::json::parse(program_.Get("/api/v1/report").body);
  EXPECT_EQ(report["verdict"]["stage"], "none");
  EXPECT_TRUE(report["stuck"].is_object());
  EXPECT_GE(report["collectors"].size(), 6U);
}

TEST_F(EndpointsTest, ThePageNeedsNothingFromOutside) {
  const auto page = program_.Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.Header("Content-Type"), "text/html; charset=utf-8");
  const std::string policy = page.Header("Content-Security-Policy");
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(policy.find("script-src 'sha256-"), std::string::npos) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  // What a browser would fetch: nothing by src, and by href only places here (the icon is in the page itself).
  EXPECT_EQ(page.body.find(" src="), std::string::npos);
  for (const std::string elsewhere : {"href=\"http", "href=\"//", "url(", "@import"}) {
    EXPECT_EQ(page.body.find(elsewhere), std::string::npos) << elsewhere;
  }
}

TEST_F(EndpointsTest, OtherPathsAreNotFound) { EXPECT_EQ(program_.Get("/nonsense").status, 404); }

}  // namespace
}  // namespace finwait::e2e
