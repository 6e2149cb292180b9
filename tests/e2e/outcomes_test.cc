// Outcomes that hang on more than INVALID: an entry's own timeout, rules that drop FINs with an entry, answers over
// another device, firewalls that drop both ways, a full table. Each says what the kernel does, and `check` and
// `explain` agree with it.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using Json = nlohmann::json;

class OutcomesTest : public testing::Test {
 protected:
  Json Explain(const Ends& ends) const {
    return Json::parse(scene_.Local()
                           .Command({lab::Program(), "explain", lab::LocalEndpoint(ends.local),
                                     lab::PeerEndpoint(ends.local), "--format=json"})
                           .out);
  }
  std::string Fate(const Ends& ends) const { return Explain(ends).value("fate", ""); }
  // All that `check` says, as one text.
  static std::string TextOf(const Json& report) { return report["verdict"].dump() + report["explanation"].dump(); }
  static bool Says(const Json& report, const std::string& text) {
    return TextOf(report).find(text) != std::string::npos;
  }

  Scene scene_;
};

// A timeout policy of 100 s for connections to port 80; `more`: chains before it.
class TimeoutPolicyTest : public OutcomesTest {
 protected:
  void EntriesExpireByIt(const std::string& more);
};

void TimeoutPolicyTest::EntriesExpireByIt(const std::string& more) {
  scene_.Local().Shell(
      "nft 'table inet f {\n"
      "ct timeout short {\nprotocol tcp\nl3proto ip\npolicy = { established : 100, close_wait : 10 }\n}\n"
      "chain out { type filter hook output priority 0; tcp dport 80 ct timeout set \"short\"; ct state invalid drop; "
      "}\n" +
      more + "}'");
  Ends ends = scene_.Open();
  ASSERT_EQ(::send(ends.local.Get(), "x", 1, MSG_NOSIGNAL), 1);
  ASSERT_TRUE(Eventually([&] {
    return scene_.Local().Shell("conntrack -L -p tcp --state ESTABLISHED 2>/dev/null | awk '$3 < 101'") != "";
  }));
  const Json report = scene_.Check();
  EXPECT_EQ(report["verdict"]["stage"], "latent");
  EXPECT_EQ(report["live"]["expiring"], 0) << TextOf(report);
  EXPECT_TRUE(Says(report, "timeout of its own, about")) << TextOf(report);
  EXPECT_FALSE(Says(report, "432000")) << "no sysctl counts for it: " << TextOf(report);
  EXPECT_FALSE(Says(report, "tcp_keepalive_time = 7200")) << TextOf(report);
  Program program(scene_.Local());
  constexpr const char* kIdleSum = "finwait_conntrack_entry_idle_seconds_sum{state=\"established\"}";
  EXPECT_TRUE(Eventually(
      [&] {
        const auto series = program.Scrape();
        return series.contains(kIdleSum) && series.at(kIdleSum) < 100;
      },
      30));
  EXPECT_EQ(program.Scrape().at("finwait_tcp_expiring_sockets"), 0);
}

TEST_F(TimeoutPolicyTest, NoSysctlCounts) { EntriesExpireByIt(""); }

TEST_F(TimeoutPolicyTest, NoSysctlCountsInAZoneEither) {
  EntriesExpireByIt(
      "chain zone_out { type filter hook output priority -300; ct zone set 5; }\n"
      "chain zone_in { type filter hook prerouting priority -300; ct zone set 5; }\n");
}

TEST_F(OutcomesTest, ARuleThatDropsFinsWithAnEntryIsNotCalledInvalid) {
  scene_.Local().Shell(
      "iptables -A OUTPUT ! -o lo -p tcp --tcp-flags ACK,FIN ACK,FIN -j DROP;"
      "iptables -A OUTPUT -m state --state RELATED,ESTABLISHED -j ACCEPT");
  Ends ends = scene_.Open();
  EXPECT_EQ(Fate(ends), "fin_dropped");
  const Json before = scene_.Check();
  EXPECT_EQ(before["exit_code"], 1) << scene_.CheckText();
  EXPECT_EQ(before["live"]["at_risk"]["fin_dropped"], 1);
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  const Json stuck = scene_.Check();
  EXPECT_EQ(stuck["exit_code"], 2) << scene_.CheckText();
  EXPECT_TRUE(Says(stuck, "although conntrack has an entry")) << TextOf(stuck);
  for (const Json& one : stuck["explanation"]["stuck"]) {
    EXPECT_EQ(one.dump().find("INVALID"), std::string::npos) << one;
  }
  for (const Json& one : stuck["explanation"]["what_to_do"]) {
    EXPECT_EQ(one.dump().find("INVALID"), std::string::npos) << one;
    EXPECT_EQ(one.dump().find("keepalive"), std::string::npos) << one;
  }
  EXPECT_TRUE(scene_.WarnsOf("accept_invalid_tracked"));
  scene_.Local().Shell("iptables -Z");
  const std::string finish = scene_.Advised("finish_stuck");
  EXPECT_TRUE(Eventually([&] { return scene_.Local().Shell("iptables -vnxL OUTPUT | awk '/DROP/ && $1 > 0'") != ""; }))
      << "the named rule's own counter rises";
  scene_.Follow(finish);
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
  Ends again = scene_.Open();
  scene_.Follow(scene_.Advised("accept_fins"));
  EXPECT_EQ(scene_.Check()["verdict"]["stage"], "none") << scene_.CheckText();
  again.local.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

TEST_F(OutcomesTest, ARuleThatDropsPeersFinsWithAnEntryIsPredicted) {
  scene_.Local().Shell(
      "iptables -A INPUT -p tcp --tcp-flags FIN FIN -j DROP;"
      "iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT");
  Ends ends = scene_.Open();
  EXPECT_EQ(scene_.Check()["live"]["at_risk"]["peer_fin_dropped"], 1) << scene_.CheckText();
  ends.peer.Reset();
  EXPECT_TRUE(Eventually([&] { return scene_.Peer().Shell("ss -Htno state fin-wait-1 | grep timer || true") != ""; }))
      << "the peer retries its FIN";
  EXPECT_EQ(scene_.Local().Shell("ss -Htn state close-wait"), "");
}

constexpr const char* kFireholLike =
    "iptables-restore <<'X'\n*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\n:in_world - [0:0]\n:out_world - [0:0]\n"
    "-A INPUT -i lo -j ACCEPT\n-A INPUT -i veth0 -j in_world\n-A INPUT -j DROP\n-A OUTPUT -o lo -j ACCEPT\n"
    "-A OUTPUT -o veth0 -j out_world\n-A OUTPUT -j DROP\n"
    "-A in_world -p tcp -m conntrack --ctstate NEW -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP\n"
    "-A in_world -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    "-A in_world -m conntrack --ctstate INVALID -j DROP\n-A in_world -j DROP\n"
    "-A out_world -m conntrack --ctstate NEW,RELATED,ESTABLISHED -j ACCEPT\n"
    "-A out_world -m conntrack --ctstate INVALID -j DROP\n-A out_world -j DROP\nCOMMIT\nX";
// Shorewall, CSF and Proxmox VE, shortened: their own chains, and nft's.
constexpr const char* kBothByNft =
    "nft 'table inet f { chain in { type filter hook input priority 0; policy drop; iif lo accept; "
    "ct state established,related accept; ct state invalid drop; tcp flags & (fin|syn|rst|ack) != syn ct state new "
    "drop; }\n"
    "chain out { type filter hook output priority 0; policy drop; oif lo accept; ct state invalid drop; "
    "ct state new,established,related accept; }\n}'";

class BothWaysTest : public OutcomesTest, public testing::WithParamInterface<const char*> {};

TEST_P(BothWaysTest, TheAdviceFreesBothEndsOfAStuckSocket) {
  scene_.Local().Shell(GetParam());
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  scene_.Follow(scene_.Advised("finish_stuck"));
  ends.peer.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

TEST_P(BothWaysTest, TheAdviceForGoodIsGood) {
  scene_.Local().Shell(GetParam());
  Ends ends = scene_.Open();
  Ends by_peer = scene_.Open();
  scene_.LoseEntries();
  const Json report = scene_.Check();
  for (const Json& one : report["explanation"]["what_to_do"]) {
    if (one.value("id", "").starts_with("accept_")) {
      scene_.Follow(one["command"].get<std::string>());
    }
  }
  EXPECT_EQ(Fate(ends), "clean") << scene_.CheckText();
  EXPECT_EQ(scene_.Check()["verdict"]["stage"], "none") << scene_.CheckText();
  scene_.LoseEntries();
  ends.local.Reset();
  by_peer.peer.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.PeerSockets("close-wait") == 1; })) << scene_.CheckText();
  ends.peer.Reset();
  by_peer.local.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

INSTANTIATE_TEST_SUITE_P(Firewalls, BothWaysTest, testing::Values(kFireholLike, kBothByNft));

TEST_F(OutcomesTest, APeerThatARuleResetsHasGoneAndItsResetEndsTheSocket) {
  scene_.Local().Shell("iptables -A INPUT -p tcp -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset");
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  EXPECT_EQ(Fate(ends), "clean");
  ends.local.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds());
}

TEST_F(OutcomesTest, APeerWithoutTheConnectionAnswersWithADroppedReset) {
  scene_.Peer().Sysctl("net.ipv4.tcp_fin_timeout", "1");
  scene_.Local().Shell("iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
  Ends ends = scene_.Open();
  ends.peer.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.Local().Shell("ss -Htn state close-wait") != ""; }));
  ASSERT_TRUE(
      Eventually([&] { return scene_.Peer().Shell("ss -Htan '( sport = :80 )' | grep -v LISTEN || true") == ""; }));
  scene_.LoseEntries();
  EXPECT_EQ(Fate(ends), "peer_decides");
  ends.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
}

TEST_F(OutcomesTest, AClosedWindowIsProbedAndTheProbesBringTheEntryBack) {
  scene_.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Ends ends = scene_.Open();
  const std::string block(65536, 'x');
  while (::send(ends.local.Get(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
  }
  ASSERT_TRUE(
      Eventually([&] { return scene_.Local().Shell("ss -Htno state established | grep persist || true") != ""; }));
  scene_.LoseEntries();
  EXPECT_EQ(Fate(ends), "clean");
  ends.local.Reset();
  std::string read(65536, '\0');
  for (ssize_t got = 1; got > 0;) {
    got = ::recv(ends.peer.Get(), read.data(), read.size(), 0);
  }
  ends.peer.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

TEST_F(OutcomesTest, ChanceIsNamedAndAHostWithAllEntriesIsNeverUnknown) {
  scene_.Local().Shell(
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -m statistic --mode random --probability 0.5 -j DROP");
  Ends ends = scene_.Open();
  const Json present = scene_.Check();
  EXPECT_EQ(present["verdict"]["stage"], "latent") << scene_.CheckText();
  EXPECT_EQ(present["exit_code"], 0);
  scene_.LoseEntries();
  const Json gone = scene_.Check();
  EXPECT_EQ(gone["exit_code"], 3) << scene_.CheckText();
  EXPECT_FALSE(Says(gone, "see below")) << TextOf(gone);
  EXPECT_TRUE(Says(gone, "it depends on")) << TextOf(gone);
  EXPECT_TRUE(Says(gone, "explain LOCAL PEER")) << TextOf(gone);
}

}  // namespace
}  // namespace finwait::e2e
