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
  EXPECT_NE(page.Header("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.body.find("http://"), std::string::npos);
  EXPECT_EQ(page.body.find("https://"), std::string::npos);
  EXPECT_EQ(page.body.find("<script"), std::string::npos);
}

TEST_F(EndpointsTest, OtherPathsAreNotFound) { EXPECT_EQ(program_.Get("/nonsense").status, 404); }

}  // namespace
}  // namespace finwait::e2e
