// Rulesets that users have reported, each with its connections' entries gone: what `check` advises for good is applied
// as printed, and then every connection closes, whichever end closes first.
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/e2e/scene.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using Json = nlohmann::json;

struct ReportedAdvice {
  const char* name;
  const char* rules;
  friend std::ostream& operator<<(std::ostream& out, const ReportedAdvice& one) { return out << one.name; }
};

constexpr ReportedAdvice kReported[] = {
    // kubernetes 72370 on Container-Optimized OS: the policy drops, not the rule for a mark in front of it.
    {"kubelet_before_a_policy",
     "iptables-restore <<'X'\n*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n:KUBE-FIREWALL - [0:0]\n"
     "-A OUTPUT -j KUBE-FIREWALL\n-A OUTPUT -m state --state NEW,RELATED,ESTABLISHED -j ACCEPT\n"
     "-A OUTPUT -o lo -j ACCEPT\n-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\nCOMMIT\nX"},
    // firehol 208: it is the peer that closes, and its FIN that is dropped.
    {"peers_fin_lost",
     "iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
     " iptables -A INPUT -m conntrack --ctstate INVALID -j DROP; iptables -A INPUT -p tcp -m multiport --sports 80,443"
     " -j ACCEPT; iptables -P INPUT DROP"},
    {"peers_fin_lost_without_tcp_loose",
     "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0; iptables -A INPUT -p tcp --tcp-flags FIN FIN -m conntrack "
     "--ctstate INVALID -j DROP"},
    {"by_device", "iptables -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -j DROP"},
    {"in_a_zone",
     "iptables -t raw -A PREROUTING -j CT --zone 5; iptables -t raw -A OUTPUT -j CT --zone 5; iptables -A OUTPUT -m "
     "conntrack --ctstate INVALID -j DROP"},
    {"behind_an_accept_for_ipsec",
     "iptables -A OUTPUT -m policy --dir out --pol ipsec -j ACCEPT; iptables -A OUTPUT -m conntrack --ctstate INVALID "
     "-j DROP"},
    {"a_queue_that_nobody_reads", "iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j NFQUEUE --queue-num 5"},
    {"behind_an_accept_for_class_e",
     "iptables -A OUTPUT -d 240.0.0.0/4 -j ACCEPT; iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    // fail2ban, CrowdSec, CSF: the set does not have the peer.
    {"behind_a_blocklist",
     "ipset create blocked hash:net; ipset add blocked 203.0.113.0/24; iptables -A INPUT -m set --match-set blocked "
     "src -j DROP; iptables -A OUTPUT -m set --match-set blocked dst -j DROP; iptables -A OUTPUT -m conntrack "
     "--ctstate INVALID -j DROP"},
};

class CaseAdviceTest : public testing::TestWithParam<ReportedAdvice> {
 protected:
  Scene scene_;
};

TEST_P(CaseAdviceTest, AppliedAsPrintedItLetsBothEndsClose) {
  scene_.Local().Shell(GetParam().rules);
  Ends closes_here = scene_.Open();
  Ends closes_there = scene_.Open();
  scene_.LoseEntries();
  const Json report = scene_.Check();
  EXPECT_EQ(report["exit_code"], 1) << scene_.CheckText();
  int followed = 0;
  for (const Json& one : report["explanation"]["what_to_do"]) {
    if (one.value("id", "").starts_with("accept_")) {
      scene_.Follow(one["command"].get<std::string>());
      ++followed;
    }
  }
  EXPECT_GT(followed, 0) << report["explanation"]["what_to_do"].dump(1);
  EXPECT_EQ(scene_.Check()["verdict"]["stage"], "none") << scene_.CheckText();
  scene_.LoseEntries();
  closes_here.local.Reset();
  closes_there.peer.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.PeerSockets("close-wait") == 1; })) << "its FIN has arrived";
  ASSERT_TRUE(Eventually([&] { return scene_.Local().Shell("ss -Htn state close-wait | wc -l") == "1\n"; }))
      << "so has the peer's";
  closes_here.peer.Reset();
  closes_there.local.Reset();
  EXPECT_TRUE(scene_.ClosesOnBothEnds()) << scene_.CheckText();
}

INSTANTIATE_TEST_SUITE_P(Reported, CaseAdviceTest, testing::ValuesIn(kReported),
                         [](const auto& one) { return one.param.name; });

// SYNPROXY translates sequence numbers by the entry: no accept brings those back, and none is said to help.
TEST(SynproxyAdviceTest, OnlyKeepingItsEntryHelpsAConnection) {
  Scene scene;
  scene.Local().Shell(
      "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0;"
      " iptables -t raw -A PREROUTING -i veth0 -p tcp -m tcp --syn --dport 8443 -j CT --notrack;"
      " iptables -A INPUT -i lo -j ACCEPT;"
      " iptables -A INPUT -i veth0 -p tcp -m tcp --dport 8443 -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY "
      "--sack-perm --timestamp --wscale 7 --mss 1460;"
      " iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(scene.Local(), lab::Wire::kLocal4, 8443);
  const UniqueFd client = lab::Connect(scene.Peer(), lab::Wire::kLocal4, 8443);
  UniqueFd server = listener.Accept();
  scene.LoseEntries();
  const auto fate = [&] {
    const auto output = scene.Local().Command({lab::Program(), "explain", lab::LocalEndpoint(server),
                                               lab::PeerEndpoint(server), "--opened-by=peer", "--format=json"});
    return Json::parse(output.out).value("fate", "");
  };
  EXPECT_EQ(fate(), "nat_lost");
  EXPECT_EQ(scene.Check()["live"]["at_risk"]["nat_lost"], 1) << scene.CheckText();
  EXPECT_EQ(scene.Advised("keep_nat_entries"), "") << "no command brings it back";
  scene.Local().Shell("iptables -I INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT");
  EXPECT_EQ(fate(), "nat_lost") << "with everything accepted";
  server.Reset();
  constexpr double kSeconds = 20;
  EXPECT_TRUE(Eventually([&] { return scene.MostTries() >= 2; }, kSeconds));
  EXPECT_EQ(scene.PeerSockets("established"), 1);
}

}  // namespace
}  // namespace finwait::e2e
