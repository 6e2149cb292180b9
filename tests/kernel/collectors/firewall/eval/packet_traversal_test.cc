#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/kernel/collectors/firewall/eval/closing_trial.h"

namespace finwait::firewall::eval {
namespace {

using Decision = Disposition;

// A ruleset as its tools load it. `ipt` and `leg` stand for iptables and iptables-legacy of both families, `nftables`
// for `nft -f -`.
struct Case {
  const char* name;
  std::string script;
  bool loose = true;
};

constexpr const char* kPrelude = R"(
ipt() { iptables "$@" && ip6tables "$@"; }
leg() { iptables-legacy "$@" && ip6tables-legacy "$@"; }
nftables() { nft -f -; }
)";

// A chain of family inet in a table of its own.
std::string InetChain(const std::string& hook, const std::string& priority, const std::string& rules,
                      const std::string& table = "t", const std::string& policy = "accept") {
  return "nftables <<END\ntable inet " + table + " {\n chain c {\n  type filter hook " + hook + " priority " +
         priority + "; policy " + policy + ";\n" + rules + "\n }\n}\nEND\n";
}

// A counter of nfnetlink_acct, as kube-proxy makes one; there is no tool for that among the ones tests have.
std::string MakeAccountingObject(const std::string& name) {
  return "python3 -c \"import socket,struct; n=b'" + name + "\\0'; n+=b'\\0'*(-len(n)%4); a=struct.pack('=HH',5+len('" +
         name +
         "'),1)+n; s=socket.socket(16,3,12); "
         "s.send(struct.pack('=IHHIIBBH',20+len(a),0x700,0x405,1,0,0,0,0)+a); "
         "assert struct.unpack_from('=i',s.recv(4096),16)[0]==0\"\n";
}

std::vector<Case> Cases() {
  const std::string invalid = "-m conntrack --ctstate INVALID -j DROP";
  return {
      {"nothing", "true"},
      // The variants of the article, in every dialect.
      {"iptables_nft_output", "ipt -A OUTPUT " + invalid},
      {"iptables_legacy_output", "leg -A OUTPUT " + invalid},
      {"nft_output", InetChain("output", "0", "ct state invalid drop")},
      {"nft_verdict_map", InetChain("output", "0", "ct state vmap { invalid : drop, established : accept }")},
      {"state_match_legacy", "leg -A OUTPUT -m state --state INVALID -j DROP"},
      {"state_match_nft", "ipt -A INPUT -m state --state INVALID -j DROP"},
      {"input_policy_drop",
       "ipt -P INPUT DROP; ipt -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; "
       "ipt -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT"},
      {"input_policy_drop_legacy",
       "leg -P INPUT DROP; leg -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; "
       "leg -A INPUT -p tcp -m multiport --dports 22,443 -m conntrack --ctstate NEW -j ACCEPT"},
      {"input_accepts_invalid_too",
       "ipt -P INPUT DROP; ipt -A INPUT -m conntrack --ctstate ESTABLISHED,INVALID -j ACCEPT"},
      {"input_accepts_invalid_too_not_loose",
       "ipt -P INPUT DROP; ipt -A INPUT -m conntrack --ctstate ESTABLISHED,INVALID -j ACCEPT", false},
      {"output_new_must_be_syn", "leg -A OUTPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP"},
      {"output_new_must_be_syn_not_loose", "leg -A OUTPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP", false},
      {"input_new_must_be_syn", "ipt -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP"},
      // Ways to reject.
      {"reject_icmp", "leg -A OUTPUT -m conntrack --ctstate INVALID -j REJECT"},
      {"reject_reset_output", "ipt -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset"},
      {"reject_reset_input", "ipt -A INPUT -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset"},
      // The process's own FIN meets a reset that gets through to the socket; none of its later tries is made, which
      // would pass.
      {"reset_ends_the_socket_legacy",
       "leg -A OUTPUT -p tcp -m owner --uid-owner 0 -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset"},
      {"reset_ends_the_socket_nft",
       InetChain("output", "0", "ct state invalid meta skuid 0 tcp flags & fin == fin reject with tcp reset")},
      {"reset_is_dropped_coming_in",
       "ipt -A OUTPUT -p tcp -m owner --uid-owner 0 -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset; "
       "ipt -A INPUT -i lo -p tcp --tcp-flags RST RST -j DROP"},
      {"reset_is_dropped_going_out",
       InetChain("output", "0", "ct state invalid meta skuid 0 tcp flags & fin == fin reject with tcp reset") +
           InetChain("postrouting", "0", "oifname \"lo\" tcp flags == rst tcp sport { 80, 443 } drop", "u")},
      {"reset_meets_one_port_of_two", InetChain("output", "0",
                                                "ct state invalid tcp flags == fin|ack reject with tcp reset\n"
                                                "tcp flags == rst tcp dport 80 drop")},
      {"nft_reject_reset", InetChain("input", "0", "ct state invalid reject with tcp reset")},
      {"nft_reject_icmpx", InetChain("output", "0", "ct state invalid reject with icmpx type admin-prohibited")},
      // Before and after conntrack's look-up.
      {"raw_output_everything_is_invalid", "leg -t raw -A OUTPUT " + invalid},
      {"raw_prerouting_everything_is_invalid", InetChain("prerouting", "-300", "ct state invalid drop")},
      {"notrack_output", "ipt -t raw -A OUTPUT -p tcp -j CT --notrack; ipt -A OUTPUT " + invalid},
      {"notrack_output_legacy_untracked_dropped",
       "leg -t raw -A OUTPUT -p tcp --dport 80 -j CT --notrack; "
       "leg -A OUTPUT -m conntrack --ctstate UNTRACKED -j DROP"},
      {"nft_notrack_late_still_makes_invalid_untracked",
       InetChain("output", "-10", "ct state invalid notrack") +
           InetChain("output", "0", "ct state invalid drop\n ct state untracked tcp dport 443 drop", "u")},
      {"zone_template_shows_as_new",
       InetChain("output", "-300",
                 "ct zone set 5\n ct state new tcp dport 80 drop\n ct state invalid tcp dport 443 drop")},
      // Several base chains.
      {"accept_ends_its_own_chain_only",
       InetChain("output", "-1", "accept", "a") + InetChain("output", "1", "ct state invalid drop", "b")},
      {"legacy_and_nft_together",
       "leg -A OUTPUT -p tcp --dport 80 -j ACCEPT; " + InetChain("output", "5", "ct state invalid tcp dport 80 drop")},
      {"mark_by_one_read_by_the_next",
       InetChain("output", "-150", "ct state invalid tcp dport { 80, 443 } meta mark set 0x7", "a") +
           InetChain("output", "0", "meta mark 0x7 drop", "b")},
      {"legacy_mark_mask",
       "leg -t mangle -A OUTPUT -p tcp --dport 443 -j MARK --set-xmark 0x12/0xff; "
       "leg -A OUTPUT -m mark --mark 0x10/0xf0 -m conntrack --ctstate INVALID -j DROP"},
      {"postrouting", InetChain("postrouting", "0", "oifname \"veth0\" ct state invalid drop")},
      {"security_table",
       "leg -t security -A OUTPUT -d 192.0.2.2/32 -m conntrack --ctstate INVALID,NEW -j DROP 2>/dev/null || "
       "iptables-legacy -t security -A OUTPUT -d 192.0.2.2/32 -m conntrack --ctstate INVALID,NEW -j DROP"},
      {"netdev_ingress",
       "nftables <<END\ntable netdev t {\n chain c {\n  type filter hook ingress device \"veth0\" priority 0;\n"
       "  tcp flags & (fin|ack) == fin|ack tcp dport 22 drop\n  tcp flags == ack drop\n }\n}\nEND\n"},
      {"netdev_egress",
       "nftables <<END\ntable netdev t {\n chain c {\n  type filter hook egress device \"veth0\" priority 0;\n"
       "  tcp flags & (fin|rst) != 0 tcp dport 80 drop\n }\n}\nEND\n"},
      {"inet_ingress",
       "nftables <<END\ntable inet t {\n chain c {\n  type filter hook ingress device \"veth0\" priority 0;\n"
       "  meta nfproto ipv6 tcp flags & fin == fin drop\n }\n}\nEND\n"},
      {"netdev_on_loopback",
       "nftables <<END\ntable netdev t {\n chain c {\n  type filter hook ingress device \"lo\" priority 0;\n"
       "  tcp flags & fin == fin drop\n }\n}\nEND\n"},
      // Conditions.
      {"interfaces",
       "leg -A OUTPUT ! -o lo -m conntrack --ctstate INVALID -j DROP; leg -A INPUT -i ve+ -p tcp --sport 443 -j DROP"},
      {"loopback_only", "ipt -A INPUT -i lo -m conntrack --ctstate INVALID -j DROP"},
      {"addresses_negated",
       "iptables -A OUTPUT ! -d 192.0.2.2 -m conntrack --ctstate INVALID -j DROP; "
       "ip6tables -A OUTPUT ! -s 2001:db8::1/128 -m conntrack --ctstate INVALID -j DROP"},
      {"ranges",
       "iptables-legacy -A OUTPUT -m iprange --dst-range 192.0.2.3-192.0.2.9 -m conntrack --ctstate INVALID -j DROP; "
       "ip6tables -A OUTPUT -p tcp -m multiport ! --ports 80,100:500 -m conntrack --ctstate INVALID -j DROP"},
      {"tcp_flags",
       "ipt -A OUTPUT -p tcp --tcp-flags ALL RST,ACK -j DROP; leg -A INPUT -p tcp --tcp-flags FIN,ACK FIN,ACK -j DROP"},
      {"fin_without_push_is_tried_again_with_it", "ipt -A OUTPUT -p tcp --tcp-flags ALL FIN,ACK -j DROP"},
      {"owner_is_gone_at_the_second_try",
       "ipt -A OUTPUT -m owner --uid-owner 0 -m conntrack --ctstate INVALID -j DROP"},
      {"owner_negated_drops_the_orphan",
       "ipt -A OUTPUT -m owner ! --uid-owner 0 -m conntrack --ctstate INVALID -j DROP"},
      {"nft_owner", InetChain("output", "0", "meta skuid 0 ct state invalid accept\n ct state invalid drop")},
      {"addrtype",
       "ipt -A OUTPUT -m addrtype --dst-type LOCAL -m conntrack --ctstate INVALID -j DROP; "
       "ipt -A INPUT -m addrtype ! --src-type LOCAL -p tcp --dport 22 -j DROP"},
      {"physdev_pkttype",
       "ipt -A INPUT -m pkttype --pkt-type host -p tcp --dport 22 -j DROP; "
       "ipt -A OUTPUT -m physdev ! --physdev-is-bridged -p tcp --dport 443 -j DROP"},
      {"conntrack_status_without_entry",
       "ipt -A OUTPUT -m conntrack ! --ctstatus ASSURED -j DROP; "
       "ipt -A OUTPUT -m connmark ! --mark 5 -j DROP"},
      {"conntrack_state_hides_other_conditions",
       "ipt -A OUTPUT -m conntrack --ctstate INVALID,NEW --ctorigdstport 1 -j DROP"},
      {"nft_ct_keys_break_without_entry",
       InetChain("output", "0", "ct mark != 5 drop\n ct direction original drop\n ct status & assured == 0 drop")},
      {"nft_ct_of_a_new_entry",
       InetChain("output", "0",
                 "ct direction original tcp dport 80 drop\n ct original ip daddr 192.0.2.2 drop\n"
                 "ct status & confirmed == 0 tcp dport 443 meta oifname != \"lo\" drop")},
      {"length_and_ttl",
       "ipt -A OUTPUT -p tcp --tcp-flags FIN FIN -m length --length 1000:65535 -j DROP; "
       "iptables-legacy -A OUTPUT -m ttl --ttl-lt 1 -j DROP"},
      {"dscp", "ipt -A OUTPUT -m dscp --dscp 0 -p tcp --dport 443 -j DROP; ipt -A OUTPUT -m tos ! --tos 0 -j DROP"},
      // Control flow.
      {"jump_goto_return",
       "leg -N a; leg -N b; leg -A OUTPUT -p tcp --dport 80 -j a; leg -A OUTPUT -p tcp --dport 443 -g b; "
       "leg -A OUTPUT -m conntrack --ctstate INVALID -j DROP; leg -A a -m conntrack --ctstate INVALID -j RETURN; "
       "leg -A a -j DROP; leg -A b -p tcp --tcp-flags FIN FIN -j RETURN; leg -A b -j DROP"},
      {"policy_and_return", "leg -P OUTPUT DROP; leg -A OUTPUT -p tcp --dport 80 -j RETURN; leg -A OUTPUT -j ACCEPT"},
      {"nft_nested",
       "nftables <<END\ntable inet t {\n chain c3 {\n  tcp dport 80 return\n  ct state invalid drop\n }\n"
       " chain c2 {\n  tcp flags & fin == fin goto c3\n  drop\n }\n"
       " chain c1 {\n  ip version 4 jump c2\n  ip6 version 6 goto c3\n  accept\n }\n"
       " chain o {\n  type filter hook output priority 0; policy accept;\n  jump c1\n  tcp dport 443 drop\n "
       "}\n}\nEND\n"},
      // Sets and maps.
      {"nft_sets",
       "nftables <<END\ntable inet t {\n set a {\n  type ipv4_addr\n  flags interval\n  elements = { 192.0.2.0/31, "
       "192.0.2.4 }\n }\n"
       " set p {\n  type inet_service\n  elements = { 22, 443 }\n }\n"
       " set n {\n  type ipv6_addr . inet_service\n  elements = { 2001:db8::2 . 80, 2001:db8::1 . 443 }\n }\n"
       " set r {\n  type ipv4_addr . inet_service\n  flags interval\n  elements = { 192.0.2.2-192.0.2.3 . 70-90 }\n }\n"
       " set i {\n  type ifname\n  elements = { \"lo\" }\n }\n"
       " chain o {\n  type filter hook output priority 0; policy accept;\n  oifname @i ct state invalid accept\n"
       "  ip daddr @a ct state invalid drop\n  ip6 daddr . tcp dport @n drop\n  ip daddr . tcp dport @r tcp flags & "
       "rst == rst drop\n }\n"
       " chain i {\n  type filter hook input priority 0; policy accept;\n  tcp dport != @p tcp sport @p drop\n "
       "}\n}\nEND\n"},
      {"nft_maps",
       "nftables <<END\ntable inet t {\n map m {\n  type inet_service : mark\n  elements = { 80 : 1, 443 : 2 }\n }\n"
       " map v {\n  type mark . ifname : verdict\n  elements = { 1 . \"veth0\" : drop, 2 . \"lo\" : goto g }\n }\n"
       " chain g {\n  ct state invalid drop\n }\n"
       " chain o {\n  type filter hook output priority 0; policy accept;\n  meta mark set tcp dport map @m\n"
       "  meta mark . oifname vmap @v\n }\n}\nEND\n"},
      {"nft_map_with_catch_all",
       InetChain("output", "0", "tcp dport vmap { 22 : accept, 80-500 : drop, * : accept }\n tcp sport 22 drop")},
      {"nft_interval_verdict_map",
       InetChain("input", "0", "tcp sport vmap { 0-79 : accept, 80-442 : drop, 443-65535 : accept }")},
      {"nft_bitwise", InetChain("output", "0",
                                "meta mark set meta mark or 0x30\n meta mark & 0xf0 == 0x30 tcp dport 80 drop\n"
                                "tcp dport & 0x1 == 1 ct state invalid drop")},
      {"nft_raw_payload",
       InetChain("output", "0",
                 "@th,16,16 80 @th,104,8 & 0x1 == 0x1 drop\n @nh,0,8 & 0xf0 == 0x60 @th,16,16 443 drop")},
      {"nft_compare",
       InetChain("output", "0", "tcp dport > 100 tcp dport <= 443 ct state invalid drop\n tcp sport < 23 drop")},
      {"nft_fib", InetChain("output", "0", "fib daddr type local ct state invalid drop") +
                      InetChain("prerouting", "-300", "fib saddr . iif oif missing drop", "u")},
      {"nft_statements_without_verdict",
       "nftables <<END\ntable inet t {\n counter k {\n }\n chain o {\n  type filter hook output priority 0; policy "
       "accept;\n"
       "  counter name k log prefix \"x\" level debug\n  ct mark set 1\n  meta priority set 1:2\n"
       "  ct state invalid counter drop\n }\n}\nEND\n"},
      {"dormant_table_does_nothing",
       "nftables <<END\ntable inet t {\n flags dormant;\n chain o {\n  type filter hook output priority 0; policy "
       "drop;\n"
       "  ct state invalid drop\n }\n}\nEND\n"},
      {"connmark_of_a_picked_up_connection",
       "ipt -t mangle -A OUTPUT -p tcp --dport 80 -j CONNMARK --set-mark 9; ipt -A OUTPUT -m connmark --mark 9 -j "
       "DROP"},
      {"connmark_restored_to_the_packet",
       "ipt -t mangle -A OUTPUT -p tcp --dport 80 -j CONNMARK --set-mark 9; ipt -t mangle -A OUTPUT -p tcp -j CONNMARK "
       "--restore-mark; ipt -A OUTPUT -m mark --mark 9 -j DROP"},
      {"connmark_saved_from_the_packet",
       "ipt -t mangle -A OUTPUT -p tcp --dport 80 -j MARK --set-mark 3; ipt -t mangle -A OUTPUT -p tcp -j CONNMARK "
       "--save-mark --nfmask 0x1 --ctmask 0xff; ipt -A OUTPUT -m connmark --mark 1 -j DROP"},
      {"devgroup_and_mac",
       "ipt -A INPUT -m devgroup --src-group 0 -p tcp --sport 80 -m conntrack --ctstate INVALID -j DROP; "
       "ipt -A INPUT -i lo -m mac --mac-source 00:00:00:00:00:01 -j DROP"},
      {"rpfilter",
       "leg -t raw -A PREROUTING -m rpfilter --invert -j DROP; leg -A INPUT -m conntrack --ctstate INVALID -j DROP"},
      {"ipv6_extension_headers",
       "ip6tables -A OUTPUT -m rt --rt-type 0 -j DROP; ip6tables -A OUTPUT -p tcp --dport 443 -m ipv6header --header "
       "prot -m conntrack --ctstate INVALID -j DROP; ip6tables-legacy -A INPUT -m ipv6header --header frag --soft -j "
       "DROP"},
      {"sockets_receive_what_is_theirs", "ipt -A INPUT -p tcp --dport 22 -m socket --nowildcard -j DROP"},
      {"nft_socket", InetChain("input", "0", "socket wildcard 1 drop\n socket wildcard 0 tcp dport 22 drop")},
      {"bridges_are_not_in_the_way",
       "ipt -A INPUT -m physdev --physdev-is-bridged -j ACCEPT; ipt -A INPUT -m conntrack --ctstate INVALID -j DROP"},
      {"ecn",
       "ipt -A OUTPUT -p tcp -m ecn --ecn-tcp-ece -j DROP; "
       "leg -A OUTPUT -p tcp --dport 443 -m ecn ! --ecn-tcp-cwr -m conntrack --ctstate INVALID -j DROP"},
      {"nat_decides_on_the_way_out_through_loopback", "leg -t nat -A PREROUTING -i lo -p tcp -j REDIRECT --to-ports 9"},
      {"masquerading_to_what_it_was", "iptables -t nat -A POSTROUTING -s 192.0.2.1 -o veth0 -j MASQUERADE"},
      {"drawn_by_chance_to_the_same_end",
       InetChain("output", "0", "ct state invalid numgen random mod 3 vmap { 0 : drop, 1 : drop, 2 : drop }")},
      {"accounting_object", MakeAccountingObject("a") + "ipt -A OUTPUT -m conntrack --ctstate INVALID -m nfacct "
                                                        "--nfacct-name a -j DROP"},
      {"zone_set_late_hides_that_there_is_no_entry",
       InetChain("output", "-10", "ct state invalid ct zone set 3\n ct state new tcp dport 443 drop")},
      {"hashlimit_elsewhere", "ipt -A OUTPUT -p udp -m limit --limit 1/min -j ACCEPT; ipt -A OUTPUT " + invalid},
  };
}

std::vector<TrialConnection> Connections() {
  std::vector<TrialConnection> all;
  for (const IpFamily family : kIpFamilies) {
    all.push_back({family, false, false, 80, 0, 0});
    all.push_back({family, false, false, 443, 1, 1});
    all.push_back({family, false, true, 22, 0, 1});
    all.push_back({family, true, false, 443, 0, 0});
  }
  return all;
}

class VerdictTest : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { trial_ = new ClosingTrial; }
  static void TearDownTestSuite() {
    delete trial_;
    trial_ = nullptr;
  }
  static ClosingTrial* trial_;
};
ClosingTrial* VerdictTest::trial_ = nullptr;

TEST_P(VerdictTest, IsWhatTheKernelDoes) {
  const Case& each = GetParam();
  trial_->SetTcpLoose(each.loose);
  const auto packets =
      trial_->Run(Connections(), {TrialRole::kClose, TrialRole::kReset, TrialRole::kSend, TrialRole::kPeerClose},
                  [&](const lab::Namespace& local) { local.Shell(kPrelude + each.script); });
  for (const TrialPacket& packet : packets) {
    EXPECT_FALSE(packet.IsWrong()) << packet.Describe();
    EXPECT_NE(packet.verdict.decision, Disposition::kUnknown) << packet.Describe();
    EXPECT_TRUE(packet.passed || packet.kind == PacketKind::kAck) << packet.Describe();
  }
}

INSTANTIATE_TEST_SUITE_P(Rulesets, VerdictTest, testing::ValuesIn(Cases()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace finwait::firewall::eval
