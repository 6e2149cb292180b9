// Every piece of advice that `check` gives, applied on the real kernel: what it says helps does, and what it says will
// not help does not. Commands are run as printed.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

struct Firewall {
  const char* name;
  bool ipv6;
  const char* load;
  friend std::ostream& operator<<(std::ostream& out, const Firewall& one) { return out << one.name; }
};

// Ways to lose a FIN on its way out.
constexpr Firewall kOutboundRules[] = {
    {"iptables_nft", false, "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"iptables_legacy", false, "iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"ip6tables_nft_own_chain", true,
     "ip6tables-nft -N before-output; ip6tables-nft -A OUTPUT -j before-output; "
     "ip6tables-nft -A before-output -m conntrack --ctstate INVALID -j DROP"},
    {"iptables_legacy_mangle", false, "iptables-legacy -t mangle -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"iptables_nft_policy", false,
     "iptables-nft -A OUTPUT -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT; iptables-nft -P OUTPUT DROP"},
    {"iptables_nft_reject", false, "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j REJECT"},
    {"nft_rule", false,
     "nft 'add table inet f; add chain inet f out { type filter hook output priority 0; }; "
     "add rule inet f out ct state invalid counter drop'"},
    {"nft_map", true,
     "nft 'add table inet f; add chain inet f out { type filter hook output priority 0; }; "
     "add rule inet f out ct state vmap { established : accept, invalid : drop }'"},
    {"nft_policy", false,
     "nft 'add table ip f; add chain ip f out { type filter hook output priority 0; policy drop; }; "
     "add rule ip f out ct state new,established,related accept'"},
};

class OutboundTest : public testing::TestWithParam<Firewall> {
 protected:
  void SetUp() override { scene_.Local().Shell(GetParam().load); }
  Ends Open() { return scene_.Open(GetParam().ipv6); }
  Scene scene_;
};

TEST_P(OutboundTest, ATemporaryAcceptLetsStuckSocketsFinishOnBothEnds) {
  Ends ends = Open();
  scene_.LoseEntries();
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  EXPECT_EQ(scene_.Check()["exit_code"], 2) << scene_.CheckText();
  const std::string rules =
      "nft -s list ruleset; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null | "
      "sort -u | while read t; do iptables-legacy-save -t $t | grep -v '^[#:]'; done";
  const std::string before = scene_.Local().Shell(rules);
  scene_.Follow(scene_.Advised("finish_stuck"));
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
  EXPECT_EQ(scene_.Local().Shell(rules), before);
}

TEST_P(OutboundTest, AcceptingFinAndRstOnTheWayOutLetsClosesAndResetsThrough) {
  Ends closed = Open();
  Ends reset = Open();
  scene_.LoseEntries();
  ASSERT_EQ(scene_.Check()["exit_code"], 1) << scene_.CheckText();
  scene_.Follow(scene_.Advised("accept_closing"));
  EXPECT_EQ(scene_.Check()["verdict"]["stage"], "none") << scene_.CheckText();
  closed.local.Reset();
  CloseWithReset(reset.local);
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

INSTANTIATE_TEST_SUITE_P(Firewalls, OutboundTest, testing::ValuesIn(kOutboundRules),
                         [](const auto& one) { return one.param.name; });

// Ways to lose the peer's answer.
constexpr Firewall kInboundRules[] = {
    {"iptables_nft_policy", false,
     "iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables-nft -P INPUT DROP"},
    {"ip6tables_legacy_rule", true,
     "ip6tables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; ip6tables-legacy -A INPUT -j "
     "DROP"},
    {"nft_policy", false,
     "nft 'add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }; "
     "add rule inet f in ct state established,related accept'"},
};

class InboundTest : public testing::TestWithParam<Firewall> {
 protected:
  void SetUp() override { scene_.Local().Shell(GetParam().load); }
  Ends Open() { return scene_.Open(GetParam().ipv6); }
  Scene scene_;
};

TEST_P(InboundTest, ATemporaryAcceptOfAnswersLetsStuckSocketsFinish) {
  Ends ends = Open();
  scene_.LoseEntries();
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  EXPECT_EQ(scene_.Check()["exit_code"], 2) << scene_.CheckText();
  scene_.Follow(scene_.Advised("finish_stuck_replies"));
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

TEST_P(InboundTest, AcceptingAnswersForGoodLetsClosesThrough) {
  for (const char* loose : {"1", "0"}) {
    scene_.Local().Sysctl("net.netfilter.nf_conntrack_tcp_loose", loose);
    Ends ends = Open();
    scene_.LoseEntries();
    if (std::string(loose) == "1") {
      ASSERT_EQ(scene_.Check()["exit_code"], 1) << scene_.CheckText();
      scene_.Follow(scene_.Advised("accept_replies"));
    }
    EXPECT_EQ(scene_.Check()["verdict"]["stage"], "none") << scene_.CheckText();
    ends.local.Reset();
    ends.peer.Reset();
    EXPECT_TRUE(scene_.ClosesOnBothEnds()) << "loose " << loose << "\n" << scene_.CheckText();
  }
}

INSTANTIATE_TEST_SUITE_P(Firewalls, InboundTest, testing::ValuesIn(kInboundRules),
                         [](const auto& one) { return one.param.name; });

class AdviceTest : public testing::Test {
 protected:
  void DropInvalidOut() { scene_.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"); }
  void Timeout(const std::string& state, const std::string& seconds) {
    scene_.Local().Sysctl("net.netfilter.nf_conntrack_tcp_timeout_" + state, seconds);
  }
  // A byte from the peer: a packet that refreshes the entry.
  static void Talk(const Ends& ends) { ASSERT_EQ(::send(ends.peer.Get(), "x", 1, MSG_NOSIGNAL), 1); }
  static void ReadAll(const Ends& ends) {
    char buffer[64];
    ::recv(ends.local.Get(), buffer, sizeof buffer, MSG_DONTWAIT);
  }
  Scene scene_;
};

TEST_F(AdviceTest, ARuleForSomeConnectionsIsTheCauseOfALatentHost) {
  scene_.Local().Shell("iptables-nft -A OUTPUT -p tcp --dport 80 -m conntrack --ctstate INVALID -j DROP");
  Ends ends = scene_.Open();
  const std::string text = scene_.CheckText();
  EXPECT_TRUE(text.starts_with("LATENT: ")) << text;
  EXPECT_NE(text.find(" drops INVALID packets of some\nconnections.\n\nWhy\n  - INVALID packets are dropped in "),
            std::string::npos)
      << text;
}

TEST_F(AdviceTest, BeLiberalDoesNotHelp) {
  DropInvalidOut();
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  EXPECT_TRUE(scene_.WarnsOf("be_liberal"));
  scene_.Local().Sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", "1");
  ends.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
  EXPECT_EQ(scene_.PeerSockets("established"), 1);
}

TEST_F(AdviceTest, NoKindOfRejectOnTheWayOutHelps) {
  for (const char* kind : {"icmp-port-unreachable", "tcp-reset"}) {
    Scene scene;
    scene.Local().Shell(
        std::string("iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with ") + kind);
    Ends ends = scene.Open();
    scene.LoseEntries();
    EXPECT_TRUE(scene.WarnsOf("reject"));
    ends.local.Reset();
    EXPECT_TRUE(scene.StaysStuck()) << kind;
    EXPECT_EQ(scene.PeerSockets("established"), 1) << kind;
  }
}

TEST_F(AdviceTest, KillingTheStuckSocketClearsOnlyThisSide) {
  DropInvalidOut();
  Ends ends = scene_.Open();
  Ends open = scene_.Open();
  scene_.LoseEntries();
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  EXPECT_TRUE(scene_.WarnsOf("ss_kill"));
  scene_.Local().Shell("ss -K dport = 80");
  EXPECT_TRUE(Eventually([&] { return scene_.Local().Shell("ss -Htn | wc -l") == "0\n"; }));
  EXPECT_EQ(scene_.PeerSockets("established"), 2);
}

TEST_F(AdviceTest, AResetIsNotRepeatedAndThePeerLearnsOfItWhenItNextSends) {
  DropInvalidOut();
  Ends ends = scene_.Open();
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  scene_.LoseEntries();
  CloseWithReset(ends.local);
  nlohmann::json report;
  ASSERT_TRUE(Eventually([&] {
    report = nlohmann::json::parse(program.Get("/api/v1/report").body);
    return report["resets_lost"] == 1;
  }));
  EXPECT_EQ(report["verdict"]["stage"], "failing");
  const auto& warnings = report["explanation"]["will_not_help"];
  EXPECT_TRUE(
      std::any_of(warnings.begin(), warnings.end(), [](const auto& one) { return one["id"] == "repeat_reset"; }));
  for (const auto& one : report["explanation"]["what_to_do"]) {
    if (one["id"] == "accept_closing") {
      scene_.Follow(one["command"]);
    }
  }
  // More than one look later, the rule lets everything through and nothing has come.
  const auto looks = [&] {
    return program.Scrape()["finwait_collector_last_success_timestamp_seconds{collector=\"netstat\"}"];
  };
  const double then = looks();
  ASSERT_TRUE(Eventually([&] { return looks() > then + 1.5; }));
  EXPECT_EQ(scene_.PeerSockets("established"), 1);
  Talk(ends);
  EXPECT_TRUE(Eventually([&] { return scene_.PeerSockets("established") == 0; }));
}

TEST_F(AdviceTest, TcpFinTimeoutDoesNotHelp) {
  DropInvalidOut();
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  EXPECT_TRUE(scene_.WarnsOf("fin_timeout"));
  scene_.Local().Sysctl("net.ipv4.tcp_fin_timeout", "1");
  EXPECT_TRUE(Eventually([&] { return scene_.MostTries() >= 4; })) << "more than a second later";
}

TEST_F(AdviceTest, ALongerTimeoutKeepsEntriesAndBringsNoneBack) {
  DropInvalidOut();
  Timeout("established", "3");
  Ends gone = scene_.Open();
  ASSERT_TRUE(Eventually([&] { return scene_.Check()["live"]["at_risk"]["fin_dropped"] == 1; }));
  EXPECT_TRUE(scene_.WarnsOf("raise_timeout_now"));
  const std::string command = scene_.Advised("raise_established_timeout");
  EXPECT_EQ(command, "sysctl -w net.netfilter.nf_conntrack_tcp_timeout_established=7440");
  Ends kept = scene_.Open();
  scene_.Follow(command);
  Talk(kept);
  ReadAll(kept);
  const std::string remaining =
      scene_.Local().Shell("conntrack -L -p tcp 2>/dev/null | grep -o 'tcp *6 [0-9]*' | grep -o '[0-9]*$'");
  EXPECT_GT(std::stoi(remaining), 7000);
  kept.local.Reset();
  EXPECT_TRUE(Eventually([&] { return scene_.PeerSockets("close-wait") == 1; })) << "its FIN has arrived";
  kept.peer.Reset();
  gone.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
  EXPECT_EQ(scene_.PeerSockets("established"), 1) << "the one whose entry was gone";
}

TEST_F(AdviceTest, AKeepaliveShorterThanTheTimeoutKeepsTheEntry) {
  DropInvalidOut();
  Timeout("established", "3");
  Ends without = scene_.Open();
  Ends with = scene_.Open();
  KeepAlive(with.local, 1);
  ASSERT_TRUE(Eventually([&] { return scene_.Check()["live"]["at_risk"]["fin_dropped"] == 1; }));
  EXPECT_EQ(scene_.Advised("keepalive"), "") << "it is the application's to do";
  with.local.Reset();
  EXPECT_TRUE(Eventually([&] { return scene_.PeerSockets("close-wait") == 1; }));
  without.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
}

TEST_F(AdviceTest, InCloseWaitOnlyTheTimeoutOfThatStateHelps) {
  DropInvalidOut();
  Timeout("close_wait", "2");
  Ends first = scene_.Open();
  Ends second = scene_.Open();
  first.peer.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.Check()["live"]["at_risk"]["fin_dropped"] == 1; }));
  EXPECT_EQ(scene_.Advised("close_in_time"), "");
  EXPECT_TRUE(scene_.WarnsOf("established_timeout"));
  EXPECT_EQ(scene_.Local().Shell("sysctl -n net.netfilter.nf_conntrack_tcp_timeout_established"), "432000\n")
      << "it was long enough all the time";
  first.local.Reset();
  EXPECT_TRUE(Eventually([&] { return scene_.Local().Shell("ss -Htn state last-ack | wc -l") == "1\n"; }));
  EXPECT_TRUE(scene_.StaysStuck());
  scene_.Follow(scene_.Advised("raise_close_wait_timeout"));
  second.peer.Reset();
  EXPECT_TRUE(Eventually([&] {
    return std::stoi("0" + scene_.Local().Shell("conntrack -L -p tcp --state CLOSE_WAIT 2>/dev/null | "
                                                "grep -o 'tcp *6 [0-9]*' | grep -o '[0-9]*$' || true")) > 7000;
  }));
  second.local.Reset();
  EXPECT_TRUE(Eventually([&] { return scene_.Stuck() == 1; })) << "only the first one";
}

TEST_F(AdviceTest, AConnectionThatIsClosedInTimeAfterItsPeerCloses) {
  DropInvalidOut();
  Timeout("close_wait", "5");
  Ends ends = scene_.Open();
  ends.peer.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.Local().Shell("ss -Htn state close-wait | wc -l") == "1\n"; }));
  ends.local.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds());
}

TEST_F(AdviceTest, AcceptingInvalidOnInputHelpsOnlyWhereTcpLooseIs0) {
  scene_.Local().Shell(
      "iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -P INPUT DROP");
  Ends first = scene_.Open();
  Ends second = scene_.Open();
  scene_.LoseEntries();
  EXPECT_TRUE(scene_.WarnsOf("accept_invalid_input"));
  scene_.Local().Shell("iptables -I INPUT -m conntrack --ctstate INVALID -j ACCEPT");
  EXPECT_EQ(scene_.Check()["live"]["at_risk"]["peer_decides"], 2) << "the peer's ACK is NEW, its FIN is let in";
  first.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
  scene_.Local().Sysctl("net.netfilter.nf_conntrack_tcp_loose", "0");
  first.peer.Reset();
  second.local.Reset();
  second.peer.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds());
}

TEST_F(AdviceTest, OfATranslatedConnectionOnlyKeepingTheEntryHelps) {
  scene_.Local().Shell(
      "iptables -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2; "
      "ip route add 198.51.100.0/24 via 192.0.2.2");
  Timeout("established", "5");
  const lab::Listener listener(scene_.Peer(), lab::Wire::kPeer4, 80);
  UniqueFd lost = lab::Connect(scene_.Local(), "198.51.100.1", 80);
  const UniqueFd lost_peer = listener.Accept();
  UniqueFd kept = lab::Connect(scene_.Local(), "198.51.100.1", 80);
  UniqueFd kept_peer = listener.Accept();
  KeepAlive(kept, 1);
  // The service, which has seen the entry, knows of the NAT; a single look may not.
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  nlohmann::json report;
  ASSERT_TRUE(Eventually([&] {
    report = nlohmann::json::parse(program.Get("/api/v1/report").body);
    return report["live"].is_object() && report["live"]["at_risk"]["nat_lost"] == 1;
  })) << report.dump(1);
  const auto says = [&](const char* section, const char* id) {
    const auto& all = report["explanation"][section];
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one["id"] == id; });
  };
  EXPECT_TRUE(says("what_to_do", "keep_nat_entries"));
  EXPECT_TRUE(says("what_to_do", "keepalive"));
  EXPECT_TRUE(says("will_not_help", "accept_invalid_nat"));
  EXPECT_TRUE(says("will_not_help", "ss_kill"));
  for (const char* chain : {"OUTPUT", "INPUT"}) {
    scene_.Local().Shell(std::string("iptables -I ") + chain + " -m conntrack --ctstate INVALID -j ACCEPT");
  }
  kept.Reset();
  EXPECT_TRUE(Eventually([&] { return scene_.PeerSockets("close-wait") == 1; })) << "the kept one's FIN has arrived";
  kept_peer.Reset();
  lost.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
  EXPECT_EQ(scene_.PeerSockets("established"), 1);
  scene_.Local().Shell("ss -K dport = 80");
  EXPECT_TRUE(Eventually([&] { return scene_.Stuck() == 0; }));
  EXPECT_EQ(scene_.PeerSockets("established"), 1);
}

// Each of 66 rules in a chain of its own drops the FIN of one connection.
TEST(PlaceLimitTest, MorePlacesThanAreListedAreDealtWithInTwoTurns) {
  constexpr int kPlaces = 66;
  constexpr int kListed = 64;
  Scene scene;
  scene.Local().Shell(
      "for port in $(seq 1001 1066); do iptables-nft -N to-$port; iptables-nft -A OUTPUT -p tcp --dport $port -j "
      "to-$port; "
      "iptables-nft -A to-$port -m conntrack --ctstate INVALID -j DROP; done");
  std::vector<std::unique_ptr<lab::Listener>> listeners;
  std::vector<UniqueFd> ends;
  for (std::uint16_t port = 1001; port < 1001 + kPlaces; ++port) {
    listeners.push_back(std::make_unique<lab::Listener>(scene.Peer(), lab::Wire::kPeer4, port));
    for (UniqueFd& end : lab::ConnectMany(1, scene.Local(), lab::Wire::kPeer4, port, *listeners.back())) {
      ends.push_back(std::move(end));
    }
  }
  scene.LoseEntries();
  const auto follow_all = [&] {
    int followed = 0;
    std::string more;
    const nlohmann::json report = scene.Check();
    for (const auto& one : report["explanation"]["what_to_do"]) {
      if (one.value("id", "") == "accept_closing") {
        scene.Follow(one["command"]);
        ++followed;
      } else if (one.value("id", "") == "more_places") {
        more = one["text"];
      }
    }
    return std::pair(followed, more);
  };
  const auto [first, more] = follow_all();
  EXPECT_EQ(first, kListed);
  EXPECT_EQ(more.find("And 2 more places drop closing packets"), 0U) << more;
  EXPECT_EQ(scene.Check()["live"]["at_risk"]["fin_dropped"], kPlaces - kListed);
  EXPECT_EQ(follow_all(), std::pair(kPlaces - kListed, std::string()));
  ends.clear();
  EXPECT_TRUE(scene.ClosesOnBothEnds());
}

}  // namespace
}  // namespace finwait::e2e
