// The failure at a kernel's default settings: a process that closes more than a minute after its peer.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

// Waits for the kernel's 60 s, as nothing but that shows what 60 s do.
TEST(CloseWaitTest, LongerThan60SecondsIsPredictedAndThenFoundInLastAck) {
  constexpr int kConnections = 10;
  Scene scene;
  scene.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  ASSERT_EQ(scene.Local().Shell("sysctl -n net.netfilter.nf_conntrack_tcp_timeout_close_wait"), "60\n");
  std::vector<Ends> slow;
  for (int i = 0; i < kConnections; ++i) {
    slow.push_back(scene.Open());
  }
  std::vector<Ends> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(scene.Open());
  }
  const Program program(scene.Local());
  EXPECT_EQ(program.Scrape().at("finwait_risk_stage{stage=\"latent\"}"), 1);
  for (Ends& one : slow) {
    one.peer.Reset();
  }
  const auto peers_closed = std::chrono::steady_clock::now();
  ASSERT_TRUE(Eventually([&] { return program.Scrape()["finwait_tcp_expiring_sockets"] == kConnections; }, 60))
      << "with less than half of the minute left they are about to lose their entries";
  ASSERT_TRUE(Eventually(
      [&] { return program.Scrape()["finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}"] == kConnections; }, 60));
  EXPECT_GE(std::chrono::steady_clock::now() - peers_closed, std::chrono::seconds(59));
  const auto report = nlohmann::json::parse(program.Get("/api/v1/report").body);
  EXPECT_EQ(report["live"]["untracked"]["close_wait"], kConnections);
  EXPECT_EQ(report["live"]["untracked"]["established"], 0);
  const std::string exposed = scene.CheckText();
  EXPECT_NE(exposed.find("nf_conntrack_tcp_timeout_close_wait = 60"), std::string::npos) << exposed;
  EXPECT_NE(exposed.find("iptables-nft table filter, chain OUTPUT, handle"), std::string::npos) << exposed;

  for (Ends& one : slow) {
    one.local.Reset();
  }
  const char* stuck = "finwait_tcp_stuck_sockets{state=\"last_ack\",cause=\"local_drop\"}";
  EXPECT_TRUE(Eventually([&] { return program.Scrape()[stuck] == kConnections; }, 30)) << program.Scrape()[stuck];
  EXPECT_EQ(program.Scrape()["finwait_risk_stage{stage=\"failing\"}"], 1);
  const std::string failing = scene.CheckText();
  EXPECT_NE(failing.find("FAILING: 10 closed connections are stuck"), std::string::npos) << failing;
  EXPECT_NE(failing.find("nf_conntrack_tcp_timeout_close_wait = 60"), std::string::npos) << failing;
  EXPECT_NE(failing.find("-A OUTPUT -m conntrack --ctstate INVALID -j DROP"), std::string::npos) << failing;
}

}  // namespace
}  // namespace finwait::e2e
