// What the program says before a close, held against what the close then does.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/fin_scan.h"
#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Wire;

// A third of the connections idles, a third has a keepalive shorter than the timeout, a third talks: exactly the idle
// third is predicted, and exactly it sticks.
TEST(PredictionTest, SocketsAtRiskAreExactlyThoseThatThenStick) {
  constexpr int kEach = 100;
  const Wire wire;
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  wire.local.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "6");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  std::vector<UniqueFd> locals;
  std::vector<UniqueFd> peers;
  for (int i = 0; i < 3 * kEach; ++i) {
    locals.push_back(Connect(wire.local, Wire::kPeer4, 80));
    peers.push_back(listener.Accept());
    if (i % 3 == 1) {
      const int on = 1;
      const int seconds = 2;
      ASSERT_EQ(::setsockopt(locals.back().Get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
      ASSERT_EQ(::setsockopt(locals.back().Get(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds), 0);
      ASSERT_EQ(::setsockopt(locals.back().Get(), IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds), 0);
    }
  }
  Program program(wire.local);
  const auto talk = [&] {
    for (std::size_t i = 2; i < locals.size(); i += 3) {
      ASSERT_EQ(::send(peers[i].Get(), "x", 1, MSG_NOSIGNAL), 1);
    }
  };
  // Talking is once a second at most, as each look of Eventually's costs a scrape.
  auto last_talk = std::chrono::steady_clock::now();
  ASSERT_TRUE(Eventually(
      [&] {
        if (std::chrono::steady_clock::now() - last_talk > std::chrono::seconds(1)) {
          talk();
          last_talk = std::chrono::steady_clock::now();
        }
        return program.Scrape()["finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}"] == kEach;
      },
      40))
      << program.Scrape()["finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}"];
  EXPECT_EQ(program.Scrape()["finwait_risk_stage{stage=\"exposed\"}"], 1);
  const auto names_rule_and_sysctl = [&] {
    const std::string text = wire.local.Command(lab::CheckCommand()).out;
    EXPECT_NE(text.find("iptables-nft table filter, chain OUTPUT, handle"), std::string::npos) << text;
    EXPECT_NE(text.find("-A OUTPUT -m conntrack --ctstate INVALID -j DROP"), std::string::npos) << text;
    EXPECT_NE(text.find("(nf_conntrack_tcp_timeout_established = 6)"), std::string::npos) << text;
    return text;
  };
  EXPECT_TRUE(names_rule_and_sysctl().starts_with("EXPOSED: 100 of 300 open connections would get stuck"));
  talk();
  locals.clear();
  const char* stuck = "finwait_tcp_sockets_stuck_total{state=\"fin_wait_1\",cause=\"local_drop\"}";
  EXPECT_TRUE(Eventually([&] { return program.Scrape()[stuck] >= kEach; }, 30));
  EXPECT_EQ(program.Scrape()[stuck], kEach);
  EXPECT_TRUE(names_rule_and_sysctl().starts_with("FAILING: 100 closed connections are stuck"));
}

TEST(PredictionTest, ARuleForSomePeersPutsOnlyTheirConnectionsAtRisk) {
  const Wire wire;
  wire.local.Shell("iptables -A OUTPUT -d 192.0.2.2 -p tcp --dport 81 -m conntrack --ctstate INVALID -j DROP");
  const Listener first(wire.peer, Wire::kPeer4, 80);
  const Listener second(wire.peer, Wire::kPeer4, 81);
  UniqueFd safe = Connect(wire.local, Wire::kPeer4, 80);
  UniqueFd at_risk = Connect(wire.local, Wire::kPeer4, 81);
  const UniqueFd safe_peer = first.Accept();
  const UniqueFd risk_peer = second.Accept();
  wire.local.Shell("conntrack -F 2>/dev/null");
  const auto explain = [&](const UniqueFd& socket, const char* format) {
    return wire.local.Command(
        {lab::Program(), "explain", lab::LocalEndpoint(socket), lab::PeerEndpoint(socket), format});
  };
  const auto clean = explain(safe, "--format=json");
  EXPECT_EQ(clean.exit_code, 0) << clean.out << clean.err;
  EXPECT_EQ(nlohmann::json::parse(clean.out)["fate"], "clean");
  const auto dropped = explain(at_risk, "--format=json");
  EXPECT_EQ(dropped.exit_code, 1) << dropped.out << dropped.err;
  const auto json = nlohmann::json::parse(dropped.out);
  EXPECT_EQ(json["fate"], "fin_dropped");
  EXPECT_EQ(json["tracked"], false);
  EXPECT_EQ(json["fin"]["verdict"], "drop");
  EXPECT_EQ(json["fin"]["chain"], "OUTPUT");
  EXPECT_EQ(json["fin"]["text"],
            "-A OUTPUT -d 192.0.2.2/32 -p tcp -m tcp --dport 81 -m conntrack --ctstate INVALID -j DROP");
  const auto check = wire.local.Command(lab::CheckCommand({"--format=json"}));
  EXPECT_EQ(check.exit_code, 1) << check.out;
  EXPECT_EQ(nlohmann::json::parse(check.out)["live"]["at_risk"]["fin_dropped"], 1);
  // And so it comes.
  safe.Reset();
  at_risk.Reset();
  EXPECT_TRUE(Eventually([&] { return wire.local.Shell("ss -Htn state fin-wait-1 dport = 81 | wc -l") == "1\n"; }));
  EXPECT_TRUE(Eventually([&] { return wire.local.Shell("ss -Htn state fin-wait-1 dport = 80 | wc -l") == "0\n"; }));
}

TEST(PredictionTest, AScanWithBareFinsFromOutsideDoesNotChangeTheStage) {
  const Wire wire;
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Program program(wire.local);
  const auto before = program.Scrape();
  ScanWithFins(wire.peer);
  const char* dropped = "finwait_firewall_invalid_drop_packets_total{family=\"ipv4\",hook=\"output\"}";
  ASSERT_TRUE(Eventually([&] { return program.Scrape()[dropped] >= 50; })) << "the scan did not reach the rule";
  const auto after = program.Scrape();
  EXPECT_EQ(after.at("finwait_risk_stage{stage=\"latent\"}"), 1);
  EXPECT_EQ(after.at("finwait_risk_score"), before.at("finwait_risk_score"));
}

}  // namespace
}  // namespace finwait::e2e
