// What users have reported, and what public rulesets do: a scene for each that the program once judged wrongly.
#include <tuple>
#include <utility>

#include "tests/e2e/rules.h"
#include "tests/e2e/short_trials.h"

namespace finwait::e2e {
namespace {

// A second way to the peer, and an address of its behind either.
constexpr const char* kSecondUplink =
    "ip link add va2 type veth peer name vb2 netns $FAR; ip address add 198.51.100.1/24 dev va2; ip link set va2 up; "
    "ip address add 203.0.113.1/32 dev lo; ";
constexpr const char* kFarEnd =
    "ip address add 198.51.100.2/24 dev vb2; ip link set vb2 up; ip address add 203.0.113.9/32 dev lo; ";
// The kernel tells the IPv6 stack of a new link up to a second late.
constexpr const char* kLinkIsUp =
    "for i in $(seq 100); do ip -o link show vb2 | grep -q 'state UP' && break; sleep 0.05; done; sleep 0.5";
constexpr const char* kAnyPath = "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done; ";

class Reported {
 public:
  ShortTrial& Add(const std::string& name, const std::string& rules, const std::string& fate) {
    ShortTrial& trial = all_.emplace_back();
    trial.name = name;
    trial.rules = rules;
    trial.fate = fate;
    return trial;
  }

  // To 203.0.113.9, by either uplink.
  ShortTrial& AddUplinks(const std::string& name, const std::string& routes, const std::string& rules,
                         const std::string& fate) {
    ShortTrial& trial = Add(name, rules, fate);
    trial.prepare = std::string(kSecondUplink) + routes + kAnyPath;
    trial.prepare_peer = std::string(kFarEnd) + "ip route add 203.0.113.1 via 192.0.2.1; " + kAnyPath;
    trial.address = "203.0.113.9";
    return trial;
  }

  std::vector<ShortTrial> Take() { return std::move(all_); }

 private:
  std::vector<ShortTrial> all_;
};

void AddPaths(Reported& reported) {
  const std::string by_device = "iptables -A OUTPUT -o va2 -m conntrack --ctstate INVALID -j DROP";
  reported
      .AddUplinks("verdict-bind-device, report-route-bound-device",
                  "ip route add 203.0.113.9 via 192.0.2.2 metric 10; ip route add 203.0.113.9 via 198.51.100.2 metric "
                  "20; ",
                  by_device, "fin_dropped")
      .device = "va2";
  reported
      .AddUplinks("verdict-so-mark",
                  "ip route add 203.0.113.9 via 192.0.2.2; ip route add 203.0.113.9 via 198.51.100.2 table 100; ip "
                  "rule add fwmark 1 lookup 100; ",
                  by_device, "fin_dropped")
      .mark = 1;
  reported
      .AddUplinks("verdict-stale-route", "ip route add 203.0.113.9 via 192.0.2.2 src 203.0.113.1; ", by_device,
                  "fin_dropped")
      .changes = "ip route replace 203.0.113.9 via 198.51.100.2 src 203.0.113.1";
  const std::string in_realm = "ip route add 203.0.113.9 via 198.51.100.2 realm 7; ";
  reported.AddUplinks("the realm of its route", in_realm,
                      "iptables -A OUTPUT -m realm --realm 7 -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  reported.AddUplinks("the realm of another route", in_realm,
                      "iptables -A OUTPUT -m realm --realm 8 -m conntrack --ctstate INVALID -j DROP", "clean");
  reported.AddUplinks("the next hop of its route", in_realm,
                      "nft 'table ip f { chain o { type filter hook postrouting priority 0; rt nexthop 198.51.100.2 rt "
                      "classid 7 ct state invalid drop; }; }'",
                      "fin_dropped");
  const std::string both =
      "sysctl -qw net.ipv4.fib_multipath_hash_policy=1; ip route add 203.0.113.9 src 203.0.113.1 "
      "nexthop via 192.0.2.2 nexthop via 198.51.100.2; ";
  // Which of them the kernel's hash picks is not asked: either way it is one that cannot be told, never a wrong one.
  for (const bool its_own : {true, false}) {
    reported.AddUplinks(
        std::string("verdict-ecmp-l4, a rule for ") + (its_own ? "its device" : "the other device"), both,
        "own=$(ip route get 203.0.113.9 from 203.0.113.1 ipproto tcp sport $PORT dport 80 | grep -o 'dev [^ ]*'); "
        "other=veth0; [ \"$own\" != 'dev veth0' ] || other=va2; iptables -A OUTPUT -o " +
            std::string(its_own ? "${own#dev }" : "$other") + " -m conntrack --ctstate INVALID -j DROP",
        "unknown");
  }
  ShortTrial& asymmetric = reported.AddUplinks(
      "report-asymmetric-answers", "ip route add 203.0.113.9 via 192.0.2.2 src 203.0.113.1; ",
      "iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; "
      "iptables -A INPUT -i veth0 -j ACCEPT; iptables -P INPUT DROP",
      "unknown");
  asymmetric.prepare_peer =
      std::string(kFarEnd) + "ip route add 203.0.113.1 via 198.51.100.1 src 203.0.113.9; " + kAnyPath;

  ShortTrial& link_local = reported.Add(
      "verdict-link-local", "ip6tables -A OUTPUT -o va2 -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  link_local.ipv6 = true;
  link_local.prepare =
      "ip link add va2 type veth peer name vb2 netns $FAR; ip link set va2 addrgenmode none; ip link set va2 up; ip "
      "address add fe80::a2/64 dev va2 nodad";
  link_local.prepare_peer =
      std::string("ip link set vb2 addrgenmode none; ip link set vb2 up; ip address add fe80::b2/64 dev vb2 nodad; ") +
      kLinkIsUp;
  link_local.address = "fe80::b2";
  link_local.listens = "::";
  link_local.device = "va2";

  // Asked without a socket, routing of IPv6 would take the other uplink.
  ShortTrial& bound6 = reported.Add("a bound device of two uplinks, IPv6",
                                    "ip6tables -A OUTPUT -o va2 -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  bound6.ipv6 = true;
  bound6.prepare =
      "ip link add va2 type veth peer name vb2 netns $FAR; ip address add 2001:db8:2::1/64 dev va2 nodad; ip link set "
      "va2 up; ip -6 route add 2001:db8:9::9 via 2001:db8::2 metric 10; ip -6 route add 2001:db8:9::9 via "
      "2001:db8:2::2 metric 20";
  bound6.prepare_peer =
      std::string(
          "ip address add 2001:db8:2::2/64 dev vb2 nodad; ip link set vb2 up; ip address add 2001:db8:9::9/128 "
          "dev lo nodad; ") +
      kLinkIsUp;
  bound6.address = "2001:db8:9::9";
  bound6.listens = "::";
  bound6.device = "va2";

  ShortTrial& transparent = reported.Add("verdict-transparent", kDropInvalid, "fin_dropped");
  transparent.prepare =
      "ip rule add fwmark 1 lookup 100; ip route add local default dev lo table 100; "
      "iptables -t mangle -A PREROUTING -p tcp -m socket -j MARK --set-mark 1";
  transparent.prepare_peer = "ip route add 198.51.100.0/24 via 192.0.2.1";
  transparent.from = "198.51.100.7";

  ShortTrial& class_e = reported.Add(
      "verdict-class-e", std::string("iptables -A OUTPUT -d 240.0.0.0/4 -j ACCEPT; ") + kDropInvalid, "clean");
  class_e.prepare = "ip address add 240.0.0.1/24 dev veth0";
  class_e.prepare_peer = "ip address add 240.0.0.2/24 dev veth0";
  class_e.address = "240.0.0.2";
  reported.Add("verdict-unknown-route-mark",
               "ip rule add fwmark 7 lookup 100; ip route add 192.0.2.0/24 dev veth0 table 100; iptables -t mangle -A "
               "OUTPUT -j MARK --set-mark 7; iptables -t mangle -A POSTROUTING -o tun+ -m conntrack --ctstate INVALID "
               "-j DROP",
               "clean");
}

void AddPeers(Reported& reported) {
  reported.Add("verdict-ack-reset",
               "iptables -A INPUT -i veth0 -p tcp -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset",
               "clean");
  reported.Add("a peer whose reset is dropped, after a reject reset it",
               "iptables -A INPUT -p tcp --tcp-flags RST RST -m conntrack --ctstate INVALID -j DROP; iptables -A INPUT "
               "-i veth0 -p tcp -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset",
               "ack_dropped");
  reported.Add("verdict-peer-fin-dropped",
               "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0; iptables -A INPUT -p tcp --tcp-flags FIN FIN -m "
               "conntrack --ctstate INVALID -j DROP",
               "peer_fin_dropped");
  ShortTrial& gone =
      reported.Add("verdict-peer-gone", "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP", "peer_decides");
  gone.peer = PeerAct::kClosesAndGoes;
  gone.undetermined = true;
  reported.Add("verdict-zero-window", kDropInvalid, "clean").peer = PeerAct::kStopsReading;
  for (const FirstToClose first : {FirstToClose::kThisEnd, FirstToClose::kPeer}) {
    ShortTrial& lost = reported.Add(
        std::string("report-peer-fin-lost, ") + (first == FirstToClose::kPeer ? "the peer closes" : "this end closes"),
        "iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; "
        "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP; iptables -A INPUT -p tcp -m multiport --dports "
        "80,8444 -j ACCEPT; iptables -P INPUT DROP",
        "peer_fin_dropped");
    lost.peer_opens = true;
    lost.first = first;
  }
  ShortTrial& proxied = reported.Add("report-synproxy-advice", "", "nat_lost");
  proxied.prepare =
      "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0; iptables -t raw -A PREROUTING -i veth0 -p tcp -m tcp --syn "
      "--dport 80 -j CT --notrack; iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -i veth0 -p tcp -m tcp --dport "
      "80 -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460; iptables "
      "-A INPUT -m conntrack --ctstate INVALID -j DROP";
  proxied.rules = "iptables -I INPUT -p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT";  // as once advised
  proxied.peer_opens = true;
}

void AddRules(Reported& reported) {
  reported.Add("verdict-connmark-rev2",
               "iptables -t mangle -A PREROUTING -i veth0 -j CONNMARK --set-mark 1; iptables -t mangle -A PREROUTING "
               "-i veth0 -j CONNMARK --restore-mark; iptables -A INPUT -m mark --mark 1 -j DROP",
               "peer_decides");
  reported.Add("verdict-dynset-delete",
               "nft 'table inet f { set s { type ipv4_addr; flags dynamic; size 100; elements = { 192.0.2.2 }; }; "
               "chain i { type filter hook input priority 0; tcp sport 80 delete @s { ip saddr }; ip saddr @s drop; "
               "}; }'",
               "clean");
  reported.Add("verdict-unknown-cgroup2", "iptables -A OUTPUT -m cgroup --cgroup 77 -j DROP", "clean");
  reported.Add("verdict-unknown-dscp-set",
               "iptables -t mangle -A OUTPUT -j DSCP --set-dscp 46; iptables -t mangle -A POSTROUTING -m dscp --dscp 8 "
               "-j DROP",
               "clean");
  reported.Add("verdict-unknown-ipset, report-ipset-cannot-tell",
               "ipset create block hash:net; ipset add block 203.0.113.0/24; iptables -A INPUT -m set --match-set "
               "block src -j DROP; iptables -A OUTPUT -m set --match-set block dst -j DROP; iptables -A INPUT -m state "
               "--state ESTABLISHED -j ACCEPT",
               "clean");
  const std::string kubelet =
      "iptables -N KUBE-FIREWALL; iptables -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP; iptables -A OUTPUT "
      "-j KUBE-FIREWALL; iptables -A INPUT -j KUBE-FIREWALL; ";
  reported.Add("verdict-unknown-kube-mark, report-mark-kubelet-firewall",
               kubelet + "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP", "clean");
  reported.Add("report-mark-wrong-rule-named",
               kubelet +
                   "iptables -A OUTPUT -m state --state NEW,RELATED,ESTABLISHED -j ACCEPT; iptables -A OUTPUT -o "
                   "lo -j ACCEPT; iptables -P OUTPUT DROP",
               "fin_dropped");
  reported.Add("verdict-unknown-length", "iptables -A OUTPUT -o veth0 -p tcp -m length --length 53:60 -j DROP",
               "clean");
  reported.Add("verdict-unknown-nfmark-order",
               "nft 'table inet t1 { chain o { type filter hook output priority 0; meta mark set 1; }; }'; nft 'table "
               "inet t2 { chain o { type filter hook output priority 0; meta mark 1 drop; }; }'",
               "clean");
  reported.Add("verdict-unknown-policy",
               std::string("iptables -A OUTPUT -m policy --dir out --pol ipsec -j ACCEPT; ") + kDropInvalid,
               "fin_dropped");
  reported.Add("verdict-unknown-queue-nobody",
               "iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j NFQUEUE --queue-num 5", "fin_dropped");
  reported.Add("verdict-unknown-recent", "iptables -A INPUT -m recent --name finwait_matrix --rcheck -j DROP", "clean");
  reported.Add("verdict-unknown-socket-transparent",
               "nft 'table ip f { chain p { type filter hook prerouting priority -150; socket transparent 1 drop; }; "
               "}'",
               "clean");
  reported.Add("verdict-unknown-ttl", "iptables -A OUTPUT -m ttl --ttl-lt 5 -j DROP", "clean");
  reported.Add("report-physdev-openstack",
               "iptables -N neutron-INPUT; iptables -N neutron-o; iptables -A INPUT -j neutron-INPUT; iptables -A "
               "neutron-INPUT -m physdev --physdev-in tapaaaaaaaa-1 --physdev-is-bridged -j neutron-o; iptables -A "
               "neutron-o -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN; iptables -A neutron-o -j DROP",
               "clean");
  reported.Add("report-advice-both-directions",
               "iptables -N in_world; iptables -N out_world; iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -i "
               "veth0 -j in_world; iptables -A OUTPUT -o lo -j ACCEPT; iptables -A OUTPUT -o veth0 -j out_world; "
               "iptables -A in_world -p tcp -m conntrack --ctstate NEW -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j "
               "DROP; iptables -A in_world -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A in_world "
               "-j DROP; iptables -A out_world -m conntrack --ctstate NEW,RELATED,ESTABLISHED -j ACCEPT; iptables -A "
               "out_world -j DROP; iptables -P INPUT DROP; iptables -P OUTPUT DROP",
               "fin_dropped");

  ShortTrial& bridge =
      reported.Add("verdict-bridge",
                   "nft 'table ip keep { chain c { type filter hook output priority 300; ct state invalid meta mark "
                   "set 0x1; }; }; table bridge t { chain o { type filter hook output priority 0; meta mark 0x1 drop; "
                   "}; }'",
                   "fin_dropped");
  bridge.prepare =
      "ip link add br0 type bridge; ip address flush dev veth0 scope global; ip link set veth0 master br0; ip address "
      "add 192.0.2.1/24 dev br0; ip link set br0 address 02:00:00:00:00:01; ip link set br0 up";

  reported.Add("a set that is full",
               "nft 'table inet f { set s { type ipv4_addr; flags dynamic; size 1; elements = { 198.51.100.77 }; }; "
               "chain o { type filter hook output priority 0; add @s { ip daddr }; ct state invalid ip daddr @s drop; "
               "}; }'",
               "clean");
  reported.Add("CONNMARK with a shift",
               "iptables -t mangle -A PREROUTING -j MARK --set-mark 1; iptables -t mangle -A PREROUTING -j CONNMARK "
               "--save-mark --left-shift-mark 4; iptables -A INPUT -i veth0 -m connmark --mark 0x10 -j DROP",
               "peer_decides");
  ShortTrial& stateless = reported.Add(
      "verdict-stateless-nat",
      "nft 'table ip d { chain p { type filter hook prerouting priority -400; ip saddr 192.0.2.2 drop; }; }'",
      "ack_dropped");
  stateless.prepare =
      "ip route add 203.0.113.5 via 192.0.2.2; nft 'table ip s { chain o { type filter hook output priority -350; ip "
      "daddr 203.0.113.5 ip daddr set 192.0.2.2 notrack; }; chain p { type filter hook prerouting priority -350; ip "
      "saddr 192.0.2.2 tcp sport 80 ip saddr set 203.0.113.5 notrack; }; }'";
  stateless.address = "203.0.113.5";
  stateless.listens = "192.0.2.2";
}

// Entries that are there.
void AddEntries(Reported& reported) {
  for (const auto& [name, zone] : {std::pair{"verdict-zone", "5"}, std::pair{"report-zone-false-alarm", "7"}}) {
    ShortTrial& zoned = reported.Add(name, kDropInvalid, "clean");
    zoned.prepare = std::string("iptables -t raw -A PREROUTING -i veth0 -j CT --zone ") + zone +
                    "; iptables -t raw -A OUTPUT -o veth0 -j CT --zone " + zone;
    zoned.entry_stays = true;
  }
  reported
      .Add(
          "report-tracked-fin-dropped",
          "iptables -A OUTPUT ! -o lo ! -d 127.0.0.1 ! -s 127.0.0.1 -p tcp -m tcp --tcp-flags ACK,FIN ACK,FIN -j DROP; "
          "iptables -A OUTPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
          "fin_dropped")
      .entry_stays = true;
  reported
      .Add("FINs dropped where no rule needs conntrack",
           "iptables -A OUTPUT ! -o lo -p tcp --tcp-flags FIN FIN -j DROP", "fin_dropped")
      .entry_stays = true;
  // Rules that ask for what the entry itself holds, and for packets whose entry is there.
  const auto with_entry = [&](const std::string& name, const std::string& rules,
                              const std::string& fate) -> ShortTrial& {
    ShortTrial& trial = reported.Add("tracked: " + name, rules, fate);
    trial.entry_stays = true;
    return trial;
  };
  const auto nft = [](const std::string& rule) {
    return "nft 'table inet f { chain o { type filter hook output priority 0; oifname veth0 " + rule + "; }; }'";
  };
  // Only the first packet of a connection gives its entry the mark.
  for (const auto& [name, mark, fate] : {std::tuple("the mark of its entry", "4", "fin_dropped"),
                                         std::tuple("another mark than that of its entry", "5", "clean")}) {
    with_entry(
        name,
        std::string("iptables -A OUTPUT -o veth0 -m connmark --mark ") + mark + " -p tcp --tcp-flags FIN FIN -j DROP",
        fate)
        .prepare = "iptables -t mangle -A OUTPUT -o veth0 -m conntrack --ctstate NEW -j CONNMARK --set-mark 4";
  }
  with_entry("a mark that its packets give the entry",
             "iptables -t mangle -A OUTPUT -o veth0 -j CONNMARK --set-mark 4; "
             "iptables -A OUTPUT -o veth0 -m connmark --mark 4 -p tcp --tcp-flags FIN FIN -j DROP",
             "fin_dropped");
  with_entry("the direction", nft("ct direction original tcp flags & fin == fin drop"), "fin_dropped");
  with_entry("the direction of what the peer opened", nft("ct direction original tcp flags & fin == fin drop"), "clean")
      .peer_opens = true;
  with_entry("the original tuple",
             "iptables -A OUTPUT -o veth0 -p tcp --tcp-flags FIN FIN -m conntrack --ctdir ORIGINAL "
             "--ctorigdstport 80 -j DROP",
             "fin_dropped");
  with_entry("a helper, and an address of the entry",
             nft("ct helper \"ftp\" drop; oifname veth0 ct original ip daddr 192.0.2.2 tcp flags & fin == fin drop"),
             "fin_dropped");
  with_entry("the status", nft("ct status assured tcp flags & fin == fin drop"), "fin_dropped");
  with_entry("the expiration", nft("ct expiration 0s-6d tcp flags & fin == fin drop"), "fin_dropped");
  with_entry("ACKs of FINs in",
             "iptables -A INPUT -i veth0 -p tcp --tcp-flags SYN,FIN,ACK ACK -m conntrack --ctstate ESTABLISHED -j DROP",
             "peer_decides");
  with_entry(
      "ACKs of FINs out",
      "iptables -A OUTPUT -o veth0 -p tcp --tcp-flags SYN,FIN,RST,ACK ACK -m conntrack --ctstate ESTABLISHED -j DROP",
      "peer_fin_dropped");
  // Older than the rules that give its packets a zone, and with a zone for one direction alone.
  const std::string zone_out = "iptables -t raw -A OUTPUT -o veth0 -j CT --zone 5; ";
  const std::string zone_in = "iptables -t raw -A PREROUTING -i veth0 -j CT --zone 5; ";
  with_entry("in another zone than its packets", zone_out + zone_in + kDropInvalid, "fin_dropped");
  with_entry("that saw one direction", kDropInvalid, "fin_dropped").prepare = zone_out;
  ShortTrial& policy =
      reported.Add("report-timeout-policy", "nft 'add rule inet demo output ct state invalid drop'", "clean");
  policy.prepare =
      "nft 'table inet demo { ct timeout short { protocol tcp; l3proto ip; policy = { established: 100, close_wait: 10 "
      "}; }; chain output { type filter hook output priority filter; tcp dport 80 ct timeout set \"short\"; }; }'";
  policy.entry_stays = true;
}

}  // namespace

std::vector<ShortTrial> ReportedTrials() {
  Reported reported;
  AddPaths(reported);
  AddPeers(reported);
  AddRules(reported);
  AddEntries(reported);
  return reported.Take();
}

}  // namespace finwait::e2e
