// The variants of the failure that shared/kernel-facts.md numbers A, A2, B, C and H, each made for real and then looked
// at through the program.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"

namespace finwait::e2e {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Wire;

struct Ip {
  const char* name;
  const char* iptables;
  const char* nft_protocol;
  const char* local;
  const char* peer;
};
constexpr Ip kIp4 = {"ipv4", "iptables", "ip", Wire::kLocal4, Wire::kPeer4};
constexpr Ip kIp6 = {"ipv6", "ip6tables", "ip6", Wire::kLocal6, Wire::kPeer6};

class VariantTest : public testing::TestWithParam<Ip> {
 protected:
  // A connection of the local side's to the peer's port 80, idle.
  void Open() {
    listener_ = std::make_unique<Listener>(wire_.peer, Ip().peer, 80);
    local_ = Connect(wire_.local, Ip().peer, 80);
    peer_ = listener_->Accept();
  }
  // As an idle time longer than conntrack's timeout does, only sooner (kernel-facts, variant G).
  void LoseEntries() { wire_.local.Shell("conntrack -F 2>/dev/null"); }

  static const e2e::Ip& Ip() { return GetParam(); }

  // The value that `series` reaches within 10 s of now, or the last one seen.
  static bool Reaches(const Program& program, const std::string& series, double value) {
    return Eventually([&] {
      const auto scrape = program.Scrape();
      const auto found = scrape.find(series);
      return found != scrape.end() && found->second >= value;
    });
  }

  // Whether as many are orphans within 10 s: a question of the test's own is one until its FIN is acknowledged.
  static bool OrphansAre(const Program& program, const std::string& state, double count) {
    return Eventually([&] { return program.Scrape().at("finwait_tcp_orphans{state=\"" + state + "\"}") == count; });
  }

  std::uint64_t DroppedByRule(const std::string& chain) const {
    // iptables-save -c: [packets:bytes] -A OUTPUT -m conntrack --ctstate INVALID -j DROP
    const std::string saved = wire_.local.Shell(std::string(Ip().iptables) + "-save -c");
    const std::size_t rule = saved.find("] -A " + chain + " -m conntrack --ctstate INVALID -j DROP");
    const std::size_t start = saved.rfind('[', rule);
    return rule == std::string::npos ? 0 : std::stoull(saved.substr(start + 1));
  }
  std::string Hook(const std::string& metric, const std::string& hook) const {
    return metric + "{family=\"" + Ip().name + "\",hook=\"" + hook + "\"}";
  }

  Wire wire_;
  std::unique_ptr<Listener> listener_;
  UniqueFd local_;
  UniqueFd peer_;
};

TEST_P(VariantTest, A_AnEgressDropLeavesAnOrphanInFinWait1) {
  wire_.local.Shell(std::string(Ip().iptables) + " -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Open();
  Program program(wire_.local);
  auto before = program.Scrape();
  EXPECT_TRUE(OrphansAre(program, "fin_wait_1", 0));
  EXPECT_EQ(before.at("finwait_risk_stage{stage=\"latent\"}"), 1);
  EXPECT_EQ(before.at(Hook("finwait_firewall_invalid_drop_packets_total", "output")), 0);
  LoseEntries();
  local_.Reset();

  ASSERT_TRUE(Reaches(program, "finwait_tcp_stuck_sockets{state=\"fin_wait_1\",cause=\"local_drop\"}", 1))
      << program.Log();
  // Of another collector than the sockets: its next look may still be to come.
  EXPECT_TRUE(Reaches(program, "finwait_conntrack_invalid_total", before.at("finwait_conntrack_invalid_total") + 1));
  const auto after = program.Scrape();
  EXPECT_TRUE(OrphansAre(program, "fin_wait_1", 1));
  EXPECT_GE(after.at("finwait_risk_score"), 70);
  EXPECT_EQ(after.at("finwait_risk_stage{stage=\"failing\"}"), 1);
  EXPECT_GT(after.at("finwait_tcp_stuck_socket_oldest_seconds{state=\"fin_wait_1\"}"), 0);
  // The kernel goes on trying: wait for a scrape between two tries.
  EXPECT_TRUE(Eventually([&] {
    const auto dropped = DroppedByRule("OUTPUT");
    return dropped > 0 && program.Scrape().at(Hook("finwait_firewall_invalid_drop_packets_total", "output")) ==
                              static_cast<double>(dropped);
  }));
  EXPECT_TRUE(Reaches(program, "finwait_tcp_sockets_stuck_total{state=\"fin_wait_1\",cause=\"local_drop\"}", 1));
  EXPECT_EQ(program.Get("/health").status, 503);
  EXPECT_EQ(program.Terminate(), 0);
}

TEST_P(VariantTest, A2_TheSameAfterThePeerClosedFirstIsStuckInLastAck) {
  wire_.local.Shell(std::string(Ip().iptables) + " -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Open();
  peer_.Reset();
  Program program(wire_.local);
  ASSERT_TRUE(
      Reaches(program, std::string("finwait_tcp_sockets{family=\"") + Ip().name + "\",state=\"close_wait\"}", 1));
  LoseEntries();
  local_.Reset();
  ASSERT_TRUE(Reaches(program, "finwait_tcp_stuck_sockets{state=\"last_ack\",cause=\"local_drop\"}", 1))
      << program.Log();
  const auto after = program.Scrape();
  EXPECT_TRUE(OrphansAre(program, "last_ack", 1));
  EXPECT_EQ(after.at("finwait_tcp_stuck_sockets{state=\"fin_wait_1\",cause=\"local_drop\"}"), 0);
}

TEST_P(VariantTest, B_ADroppedResetLeavesNoSocketAndShowsInTheCountersOnly) {
  wire_.local.Shell(std::string(Ip().iptables) + " -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Open();
  Program program(wire_.local);
  const auto before = program.Scrape();
  LoseEntries();
  const linger reset = {1, 0};
  ASSERT_EQ(::setsockopt(local_.Get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  local_.Reset();
  ASSERT_TRUE(Reaches(program, "finwait_netstat_tcp_abort_failed_total",
                      before.at("finwait_netstat_tcp_abort_failed_total") + 1));
  ASSERT_TRUE(Reaches(program, Hook("finwait_firewall_invalid_drop_packets_total", "output"), 1));
  EXPECT_TRUE(Reaches(program, "finwait_conntrack_invalid_total", before.at("finwait_conntrack_invalid_total") + 1));
  const auto after = program.Scrape();
  EXPECT_TRUE(OrphansAre(program, "fin_wait_1", 0));
  EXPECT_EQ(wire_.peer.Shell("ss -Htn state established | wc -l"), "1\n")
      << "the peer believes that the connection lives";
}

TEST_P(VariantTest, C_AnIngressDropLeavesAnUnansweredFin) {
  const std::string iptables = Ip().iptables;
  wire_.local.Shell(iptables + " -P INPUT DROP; " + iptables + " -A INPUT -i lo -j ACCEPT; " + iptables +
                    " -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT");
  Open();
  Program program(wire_.local);
  const auto before = program.Scrape();
  LoseEntries();
  local_.Reset();
  ASSERT_TRUE(Reaches(program, "finwait_tcp_stuck_sockets{state=\"fin_wait_1\",cause=\"reply_drop\"}", 1))
      << program.Log();
  EXPECT_TRUE(Reaches(program, Hook("finwait_firewall_policy_drop_packets_total", "input"),
                      before.at(Hook("finwait_firewall_policy_drop_packets_total", "input")) + 1));
  EXPECT_TRUE(Reaches(program, "finwait_netstat_tcp_retrans_segs_total",
                      before.at("finwait_netstat_tcp_retrans_segs_total") + 1));
  EXPECT_EQ(program.Scrape().at(Hook("finwait_firewall_invalid_drop_packets_total", "input")), 0);
}

TEST_P(VariantTest, H_AVerdictMapWithoutACounterIsFoundAllTheSame) {
  wire_.local.Shell(std::string("nft -f - <<'END'\ntable ") + Ip().nft_protocol +
                    " filter {\n chain out {\n  type filter hook output priority 0; policy accept;\n"
                    "  ct state vmap { established : accept, invalid : drop }\n }\n}\nEND");
  Open();
  Program program(wire_.local);
  EXPECT_EQ(program.Scrape().at(std::string("finwait_firewall_invalid_drop_rules{backend=\"nft\",family=\"") +
                                Ip().name + "\",hook=\"output\"}"),
            1);
  LoseEntries();
  local_.Reset();
  ASSERT_TRUE(Reaches(program, "finwait_tcp_stuck_sockets{state=\"fin_wait_1\",cause=\"local_drop\"}", 1))
      << program.Log();
  EXPECT_EQ(program.Scrape().at(Hook("finwait_firewall_invalid_drop_packets_total", "output")), 0);
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, VariantTest, testing::Values(kIp4, kIp6),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace finwait::e2e
