#include "tests/e2e/short_trials.h"

#include <utility>

namespace finwait::e2e {
namespace {

struct NamedRules {
  const char* name;
  /// The word T stands for the tool of the family, iptables-nft or ip6tables-nft, L for the legacy one, PEER for the
  /// peer's address.
  const char* load;
  const char* fate;
};

// Puts `to` in place of each word `word`.
void Replace(const std::string& word, const std::string& to, std::string& text) {
  const auto ends = [&](std::size_t at) { return at >= text.size() || text[at] == ' '; };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || text[at - 1] == ' ') && ends(at + word.size())) {
      text.replace(at, word.size(), to);
    }
  }
}

std::string Filled(std::string text, bool ipv6) {
  Replace("T", ipv6 ? "ip6tables-nft" : "iptables-nft", text);
  Replace("L", ipv6 ? "ip6tables-legacy" : "iptables-legacy", text);
  Replace("PEER", ipv6 ? "2001:db8::2" : "192.0.2.2", text);
  return text;
}

std::vector<ShortTrial> InBothFamilies(const std::vector<NamedRules>& all,
                                       FirstToClose first = FirstToClose::kThisEnd) {
  std::vector<ShortTrial> trials;
  for (const NamedRules& rules : all) {
    for (const bool ipv6 : {false, true}) {
      ShortTrial trial;
      trial.name = std::string(rules.name) + (ipv6 ? ", IPv6" : ", IPv4") +
                   (first == FirstToClose::kPeer ? ", the peer closes" : "");
      trial.rules = Filled(rules.load, ipv6);
      trial.ipv6 = ipv6;
      trial.fate = rules.fate;
      trial.first = first;
      trials.push_back(std::move(trial));
    }
  }
  return trials;
}

#define NFT(hook, rules) "nft 'table inet f { chain c { type filter hook " hook " priority 0; " rules "; }; }'"

// What drops this end's FIN.
std::vector<ShortTrial> WayOut() {
  return InBothFamilies({
      {"mangle OUTPUT", "T -t mangle -A OUTPUT -m conntrack --ctstate INVALID -j DROP", "fin_dropped"},
      {"legacy security OUTPUT", "L -t security -A OUTPUT -m state --state INVALID -j DROP", "fin_dropped"},
      {"raw OUTPUT drops FINs", "T -t raw -A OUTPUT -o veth0 -p tcp --tcp-flags FIN FIN -j DROP", "fin_dropped"},
      {"OUTPUT by the peer's port", "T -A OUTPUT -p tcp --dport 80 -m conntrack --ctstate INVALID -j DROP",
       "fin_dropped"},
      {"OUTPUT by another port", "T -A OUTPUT -p tcp --dport 81 -m conntrack --ctstate INVALID -j DROP", "clean"},
      {"legacy OUTPUT by multiport",
       "L -A OUTPUT -p tcp -m multiport --dports 22,80:90 -m conntrack --ctstate INVALID -j DROP", "fin_dropped"},
      {"OUTPUT by the peer's address", "T -A OUTPUT -d PEER -m conntrack --ctstate INVALID -j DROP", "fin_dropped"},
      {"OUTPUT accepts the peer first",
       "T -A OUTPUT -d PEER -j ACCEPT; T -A OUTPUT -m conntrack --ctstate INVALID -j DROP", "clean"},
      {"OUTPUT by device", "T -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -j DROP", "fin_dropped"},
      {"OUTPUT by another device", "T -A OUTPUT -o eth7 -m conntrack --ctstate INVALID -j DROP", "clean"},
      {"a mark from mangle, dropped in filter",
       "T -t mangle -A OUTPUT -m conntrack --ctstate INVALID -j MARK --set-mark 0x10/0xf0; "
       "T -A OUTPUT -m mark --mark 0x10/0x10 -j DROP",
       "fin_dropped"},
      {"legacy dates of now",
       "L -A OUTPUT -m time --datestart 2020-01-01 --datestop 2037-01-01 -m conntrack --ctstate INVALID -j DROP",
       "fin_dropped"},
      {"dates that are past",
       "T -A OUTPUT -m time --datestart 2020-01-01 --datestop 2021-01-01 -m conntrack --ctstate INVALID -j DROP",
       "clean"},
      {"all weekdays by the kernel's time zone",
       "T -A OUTPUT -m time --kerneltz --weekdays Mon,Tue,Wed,Thu,Fri,Sat --timestart 00:00 --timestop 23:59:59 "
       "-m conntrack --ctstate INVALID -j DROP; T -A OUTPUT -m time --kerneltz --weekdays Sun "
       "-m conntrack --ctstate INVALID -j DROP",
       "fin_dropped"},
      {"a time of day three hours from now",
       "T -A OUTPUT -m time --timestart $(date -ud '3 hours' +%H:%M) --timestop $(date -ud '6 hours' +%H:%M) "
       "-m conntrack --ctstate INVALID -j DROP",
       "clean"},
      {"any hour but one that is long over",
       "T -A OUTPUT -m time --timestart $(date -ud '-6 hours' +%H:%M) --timestop $(date -ud '-3 hours' +%H:%M) "
       "-j ACCEPT; T -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
       "fin_dropped"},
      {"any hour of nftables", "TZ=UTC " NFT("output", "meta hour \"00:00\"-\"23:59:59\" ct state invalid drop"),
       "fin_dropped"},
      {"one second of the day, of nftables", "TZ=UTC " NFT("output", "meta hour < \"00:00:01\" ct state invalid drop"),
       "clean"},
      {"today, of nftables",
       "TZ=UTC " NFT("output", "meta time > \"2020-01-01\" meta day { 0, 1, 2, 3, 4, 5, 6 } ct state invalid drop"),
       "fin_dropped"},
      {"a day long past, of nftables", "TZ=UTC " NFT("output", "meta time < \"2020-01-01\" ct state invalid drop"),
       "clean"},
      {"TCP timestamps of nftables", NFT("output", "tcp option timestamp exists ct state invalid drop"), "fin_dropped"},
      {"no TCP timestamps of nftables", NFT("output", "tcp option timestamp missing ct state invalid drop"), "clean"},
      {"TCP timestamps of iptables", "T -A OUTPUT -p tcp --tcp-option 8 -m conntrack --ctstate INVALID -j DROP",
       "fin_dropped"},
      {"the priority of a socket that has none", NFT("output", "meta priority 0 ct state invalid drop"), "fin_dropped"},
      {"a mark that nobody sets", "T -A OUTPUT -m mark --mark 0x8000/0x8000 -j DROP", "clean"},
      {"REJECT with a reset", "T -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset",
       "fin_dropped"},
      {"set of peers",
       "nft 'table inet f { set s { type ipv4_addr; elements = { 192.0.2.2 }; }; "
       "set t { type ipv6_addr; elements = { 2001:db8::2 }; }; "
       "chain c { type filter hook output priority 0; ct state invalid ip daddr @s drop; "
       "ct state invalid ip6 daddr @t drop; }; }'",
       "fin_dropped"},
      {"set of others",
       "nft 'table inet f { set s { type ipv4_addr; elements = { 192.0.2.7 }; }; "
       "set t { type ipv6_addr; elements = { 2001:db8::7 }; }; "
       "chain c { type filter hook output priority 0; ct state invalid ip daddr @s drop; "
       "ct state invalid ip6 daddr @t drop; }; }'",
       "clean"},
      {"verdict map of ports and states",
       NFT("output", "tcp dport . ct state vmap { 80 . invalid : drop, 443 . invalid : accept }"), "fin_dropped"},
      {"anonymous range", NFT("output", "tcp dport 70-90 ct state invalid drop"), "fin_dropped"},
      {"chain of one's own, returned from",
       "T -N own; T -A OUTPUT -j own; T -A own -p tcp -j RETURN; T -A own -m conntrack --ctstate INVALID -j DROP",
       "clean"},
      {"owner of the socket", "T -A OUTPUT -m owner --uid-owner 12345 -m conntrack --ctstate INVALID -j DROP", "clean"},
      {"netdev egress",
       "nft 'table netdev n { chain e { type filter hook egress device veth0 priority 0; "
       "tcp flags fin drop; }; }'",
       "fin_dropped"},
      {"chance", NFT("output", "ct state invalid numgen random mod 2 0 drop"), "unknown"},
  });
}

// What drops the peer's answer, or its FIN.
std::vector<ShortTrial> WayIn() {
  std::vector<ShortTrial> all = InBothFamilies({
      {"mangle PREROUTING drops NEW without SYN",
       "T -t mangle -A PREROUTING -p tcp ! --syn -m conntrack --ctstate NEW -j DROP", "peer_decides"},
      {"legacy INPUT policy",
       "L -A INPUT -i lo -j ACCEPT; L -A INPUT ! -p tcp -j ACCEPT; "
       "L -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; L -P INPUT DROP",
       "ack_dropped"},
      {"raw PREROUTING by source port", "T -t raw -A PREROUTING -p tcp --sport 80 -j DROP", "ack_dropped"},
      {"INPUT by another source", "T -A INPUT -p tcp --sport 81 -j DROP", "clean"},
      {"NEW without SYN and INVALID",
       "T -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP; T -A INPUT -m conntrack --ctstate INVALID -j "
       "DROP",
       "ack_dropped"},
      {"INPUT INVALID", "T -A INPUT -m conntrack --ctstate INVALID -j DROP", "peer_fin_dropped"},
      {"legacy mangle PREROUTING INVALID", "L -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP",
       "peer_fin_dropped"},
      {"NOTRACK both ways and INVALID",
       "T -t raw -A OUTPUT -j NOTRACK; T -t raw -A PREROUTING -j NOTRACK; "
       "T -A INPUT -m conntrack --ctstate INVALID -j DROP; T -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
       "clean"},
      {"REJECT of the answer with a reset, INVALID resets dropped",
       "T -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset; "
       "T -A OUTPUT -p tcp --tcp-flags RST RST -m conntrack --ctstate INVALID -j DROP",
       "clean"},
      {"REJECT of the answer with a reset, RELATED ones dropped",
       "T -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset; "
       "T -A OUTPUT -m conntrack --ctstate RELATED -j DROP",
       "peer_decides"},
      {"early demultiplexed socket", NFT("input", "socket wildcard 0 ct state invalid drop"), "peer_fin_dropped"},
  });
  std::vector<ShortTrial> peers = InBothFamilies(
      {
          {"INPUT INVALID", "T -A INPUT -m conntrack --ctstate INVALID -j DROP", "peer_fin_dropped"},
          {"nft input INVALID by vmap", NFT("input", "ct state vmap { invalid : drop, new : accept }"),
           "peer_fin_dropped"},
          {"prerouting drops FINs", NFT("prerouting", "iifname veth0 tcp flags fin drop"), "peer_fin_dropped"},
          {"nothing in the way", NFT("input", "ct state invalid accept"), "clean"},
      },
      FirstToClose::kPeer);
  all.insert(all.end(), peers.begin(), peers.end());
  return all;
}

ShortTrial One(std::string name, std::string rules, std::string fate) {
  ShortTrial trial;
  trial.name = std::move(name);
  trial.rules = std::move(rules);
  trial.fate = std::move(fate);
  return trial;
}

// What hangs on more than the packet's addresses.
std::vector<ShortTrial> Facts() {
  std::vector<ShortTrial> all;
  const auto add = [&](ShortTrial trial) -> ShortTrial& {
    all.push_back(std::move(trial));
    return all.back();
  };
  const std::string drop_marked = "iptables-nft -A OUTPUT -m mark --mark 7 -m conntrack --ctstate INVALID -j DROP";
  add(One("a socket's mark", drop_marked, "fin_dropped")).mark = 7;
  add(One("a socket's other mark", drop_marked, "clean")).mark = 8;
  add(One("a bound socket", "iptables-nft -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -j DROP", "fin_dropped"))
      .device = "veth0";

  // Two ways to the peer, and routing rules of every kind for the second.
  const std::string second =
      "ip link add side type veth peer name far; ip link set far up; ip address add 198.51.100.1/24 dev side; ip link "
      "set side up; "
      "ip route add 192.0.2.0/24 dev veth0 table 100; ip route add default dev side table 200; ";
  const std::string drop_on_side = "iptables-nft -A OUTPUT -o side -m conntrack --ctstate INVALID -j DROP";
  for (const auto& [rule, where] :
       {std::pair{"fwmark 7 lookup 100", 7}, std::pair{"uidrange 0-0 lookup 100", 0},
        std::pair{"ipproto tcp dport 80 lookup 100", 0}, std::pair{"from 192.0.2.1 lookup 100", 0},
        std::pair{"fwmark 9 lookup 200", 7}, std::pair{"uidrange 77-77 lookup 200", 0},
        std::pair{"ipproto tcp dport 81 lookup 200", 0}, std::pair{"from 198.51.100.1 lookup 200", 0}}) {
    ShortTrial& trial = add(One(std::string("ip rule ") + rule, drop_on_side, "clean"));
    trial.prepare = second + "ip rule add " + rule;
    trial.mark = where;
  }

  const std::string ipset =
      "ipset create peers hash:ip; ipset add peers 192.0.2.2; ipset create others hash:net; "
      "ipset add others 203.0.113.0/24; ipset create lists list:set; ipset add lists peers; ";
  add(One("an ipset with the peer",
          ipset + "iptables-nft -A OUTPUT -m set --match-set peers dst -m conntrack --ctstate INVALID -j DROP",
          "fin_dropped"));
  add(One("an ipset without the peer", ipset + "iptables-nft -A INPUT -m set --match-set others src -j DROP", "clean"));
  add(One("a list of ipsets", ipset + "iptables-legacy -A INPUT -m set --match-set lists src -j DROP", "ack_dropped"));

  const std::string mapped =
      "ipset create marks hash:net skbinfo; ipset add marks 192.0.2.2 skbmark 0x7 skbprio 1:7; "
      "ipset add marks 192.0.2.0/24 skbmark 0x9 skbprio 1:9; "
      "iptables-nft -t mangle -A OUTPUT -o veth0 -j SET --map-set marks dst --map-mark --map-prio; ";
  add(One("the mark of an ipset's element", mapped + drop_marked, "fin_dropped"));
  add(One("the mark of an ipset's larger network",
          mapped + "iptables-nft -A OUTPUT -m mark --mark 9 -m conntrack --ctstate INVALID -j DROP", "clean"));
  add(One("the priority of an ipset's element", mapped + NFT("output", "meta priority 1:7 ct state invalid drop"),
          "fin_dropped"));
  add(One("a mark that an ipset gives to others",
          "ipset create marks hash:ip skbinfo; ipset add marks 192.0.2.7 skbmark 0x7; "
          "iptables-legacy -t mangle -A OUTPUT -j SET --map-set marks dst --map-mark; " +
              drop_marked,
          "clean"));

  add(One("a zone for all",
          "iptables-nft -t raw -A OUTPUT -j CT --zone 5; iptables-nft -t raw -A PREROUTING -j CT "
          "--zone 5; iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
          "fin_dropped"));
  add(One("tcp_loose off",
          "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0; iptables-nft -A INPUT -i veth0 -m conntrack "
          "--ctstate NEW -j DROP",
          "clean"));
  add(One("time to live", "iptables-nft -A OUTPUT -m ttl --ttl-lt 10 -j DROP", "clean"));
  add(One("length of a FIN", "iptables-nft -A OUTPUT -o veth0 -p tcp --tcp-flags FIN FIN -m length --length 52 -j DROP",
          "fin_dropped"));
  add(One("a queue that nobody reads", "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j NFQUEUE --queue-num 3",
          "fin_dropped"));
  add(One("a queue that nobody reads, bypassed",
          "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j NFQUEUE --queue-num 3 --queue-bypass", "clean"));
  add(One("stateless translation",
          "nft 'table ip s { chain o { type filter hook output priority -300; ip daddr 192.0.2.2 notrack; }; "
          "chain i { type filter hook prerouting priority -300; ip saddr 192.0.2.2 tcp sport 80 notrack drop; }; }'",
          "ack_dropped"));
  add(One("connection limit far away", "iptables-nft -A INPUT -p tcp -m connlimit --connlimit-above 5000 -j DROP",
          "clean"));
  const auto counted = [](const std::string& rule) {
    return "nft 'table inet f { set s { type ipv4_addr; flags dynamic; size 100; }; chain o { type filter hook output "
           "priority 0; oifname veth0 ct state invalid " +
           rule + "; }; }'";
  };
  add(One(
      "a hash of addresses, with a seed that is told",
      NFT("output",
          "oifname veth0 meta mark set jhash ip saddr . ip daddr . tcp dport mod 1000 seed 0x5eed offset 1; ct state "
          "invalid meta mark != 0x5eed drop"),
      "fin_dropped"));
  add(One("the last ACK, which no process sends",
          "iptables-nft -A OUTPUT -o veth0 -p tcp --tcp-flags SYN,FIN,RST,ACK ACK -m owner ! --socket-exists -j DROP",
          "peer_fin_dropped"));
  add(One(
      "a transparent proxy, and a socket that is none",
      "nft 'table ip f { chain p { type filter hook prerouting priority mangle; iifname veth0 tcp sport 80 tproxy to "
      ":50080 drop; }; }'",
      "clean"));
  add(One("a count of a set's elements far from its limit", counted("add @s { ip daddr ct count 5000 } drop"),
          "fin_dropped"));
  add(One("a count of a set's elements never reached", counted("add @s { ip daddr ct count over 5000 } drop"),
          "clean"));
  add(One(
      "what a set says of the elements that a rule adds",
      "nft 'table inet f { set s { type ipv4_addr; flags dynamic; size 100; limit rate 1/hour burst 1 packets; }; "
      "chain o { type filter hook output priority 0; oifname veth0 ct state invalid add @s { ip daddr } drop; }; }'",
      "unknown"));
  // An element that is there keeps what it gives; a FIN that finds none puts its own mark there.
  const auto map = [](const std::string& elements, const std::string& output, const std::string& input) {
    return "nft 'table inet f { map m { type ipv4_addr : mark; flags dynamic,timeout; timeout 1h; " + elements +
           "}; chain o { type filter hook output priority 0; oifname veth0 meta mark set 7; update @m { ip daddr : "
           "meta mark }; meta mark set 0; " +
           output + "; }; chain i { type filter hook input priority 0; " + input + "; }; }'";
  };
  const std::string drop_mapped = "meta mark set ip daddr map @m; ct state invalid meta mark 7 drop";
  add(One("a mark that the FIN puts into a map", map("", drop_mapped, "accept"), "fin_dropped"));
  add(One("a mark that is in the map before the FIN", map("elements = { 192.0.2.2 : 9 }; ", drop_mapped, "accept"),
          "clean"));
  add(One("a mark of the FIN's that the answer finds in a map",
          map("", "accept", "iifname veth0 meta mark set ip saddr map @m; ct state new meta mark 7 drop"),
          "peer_decides"));
  // Where there are policies, those that a connection's ends meet decide.
  const auto with_policy = [&](const std::string& name, const std::string& selector, const std::string& asked,
                               const std::string& fate) {
    add(One("IPsec " + name,
            "iptables-nft -A OUTPUT -m policy --dir out --pol " + asked +
                " -j ACCEPT; iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
            fate))
        .prepare = "ip xfrm policy add " + selector + " dir out tmpl proto esp mode transport level use";
  };
  with_policy("for other addresses", "src 10.1.0.0/16 dst 10.2.0.0/16", "ipsec", "fin_dropped");
  with_policy("for other addresses, none asked for", "src 10.1.0.0/16 dst 10.2.0.0/16", "none", "clean");
  with_policy("for another protocol", "src 192.0.2.0/24 dst 192.0.2.0/24 proto udp", "ipsec", "fin_dropped");
  with_policy("for another port", "src 192.0.2.0/24 dst 192.0.2.0/24 proto tcp dport 81", "none", "clean");
  with_policy("for its addresses", "src 192.0.2.0/24 dst 192.0.2.0/24", "ipsec", "unknown");
  add(One("no IPsec", "iptables-nft -A OUTPUT -m policy --dir out --pol ipsec -j DROP", "clean"));
  return all;
}

// The host's address is a bridge's, whose rules see the frames.
std::vector<ShortTrial> Bridges() {
  std::vector<ShortTrial> all;
  const std::string bridge =
      "ip link add br0 type bridge; ip address flush dev veth0 scope global; ip link set veth0 master br0; "
      "ip address add 192.0.2.1/24 dev br0; ip link set br0 address 02:00:00:00:00:01; ip link set br0 up";
  const std::string marks =
      "nft 'table ip keep { chain c { type filter hook output priority 300; ct state invalid meta mark set 1; }; }'; ";
  const auto bridged = [&](const std::string& name, const std::string& rules, const std::string& fate) {
    all.push_back(One("bridge: " + name, rules, fate));
    all.back().prepare = bridge;
  };
  const auto frames = [](const std::string& hook, const std::string& rules) {
    return "nft 'table bridge b { chain c { type filter hook " + hook + " priority 0; " + rules + "; }; }'";
  };
  bridged("output drops a mark", marks + frames("output", "meta mark 1 drop"), "fin_dropped");
  bridged("output drops another mark", marks + frames("output", "meta mark 2 drop"), "clean");
  bridged("postrouting by its port", marks + frames("postrouting", "meta mark 1 oifname \"veth0\" drop"),
          "fin_dropped");
  bridged("input by its port", frames("input", "iifname \"veth0\" tcp sport 80 drop"), "ack_dropped");
  bridged("forward is not passed", frames("forward", "drop"), "clean");
  bridged(
      "its port, which br_netfilter keeps",
      "sysctl -qw net.bridge.bridge-nf-call-iptables=1; iptables-nft -A INPUT -m physdev --physdev-in veth0 -p tcp -m "
      "conntrack --ctstate NEW -j DROP",
      "peer_decides");
  bridged("another port",
          "sysctl -qw net.bridge.bridge-nf-call-iptables=1; iptables-nft -A INPUT -m physdev --physdev-in "
          "tap7 -p tcp -j DROP",
          "clean");
  bridged("ebtables by mark", marks + "ebtables-nft -A OUTPUT --mark 1 -j DROP", "fin_dropped");
  bridged("ebtables by port", "ebtables-nft -A INPUT -p ip --ip-proto tcp --ip-sport 80 -j DROP", "ack_dropped");
  bridged("ebtables by another port", "ebtables-nft -A INPUT -p ip --ip-proto tcp --ip-sport 81 -j DROP", "clean");
  bridged("ebtables by the peer's Ethernet address",
          marks +
              "mac=$(ip -o neighbour show 192.0.2.2 dev br0 | sed 's/.*lladdr \\([^ ]*\\).*/\\1/'); "
              "ebtables-nft -A OUTPUT -d $mac --mark 1 -j DROP",
          "fin_dropped");
  bridged("ebtables by another Ethernet address",
          marks + "ebtables-nft -A OUTPUT -d 02:00:00:00:00:99 --mark 1 -j DROP", "clean");
  bridged("ebtables policy, IPv4 accepted",
          "ebtables-nft -A INPUT -p ip -j ACCEPT; ebtables-nft -A INPUT -p arp -j "
          "ACCEPT; ebtables-nft -P INPUT DROP",
          "clean");
  return all;
}

// Rules that drop FINs although the entry is there.
std::vector<ShortTrial> Tracked() {
  std::vector<ShortTrial> all = InBothFamilies({
      {"FINs out, tracked", "T -A OUTPUT -o veth0 -p tcp --tcp-flags FIN FIN -j DROP", "fin_dropped"},
      {"FINs in, tracked", NFT("input", "iifname veth0 tcp flags fin drop"), "peer_fin_dropped"},
      {"INVALID, tracked", "T -A OUTPUT -m conntrack --ctstate INVALID -j DROP", "clean"},
  });
  for (ShortTrial& trial : all) {
    trial.entry_stays = true;
  }
  return all;
}

// What nat translates: rules meet the ends that the connection has beyond nat, wherever its packets have come past
// that.
std::vector<ShortTrial> Translated() {
  std::vector<ShortTrial> all;
  const std::string fins = " -p tcp --tcp-flags FIN FIN -j DROP";
  const auto add = [&](const std::string& name, const std::string& prepare, const std::string& rules,
                       const std::string& fate) -> ShortTrial& {
    all.push_back(One("translated: " + name, rules, fate));
    all.back().prepare = prepare;
    all.back().entry_stays = true;
    return all.back();
  };
  for (const bool ipv6 : {false, true}) {
    const std::string service = ipv6 ? "2001:db8:7::5" : "203.0.113.5";
    const std::string peer = ipv6 ? "2001:db8::2" : "192.0.2.2";
    const std::string prepare = Filled(std::string(ipv6 ? "ip -6" : "ip") + " route add " + service + " via " + peer +
                                           "; T -t nat -A OUTPUT -d " + service + " -j DNAT --to-destination " + peer,
                                       ipv6);
    const auto to_service = [&](const std::string& name, const std::string& rules, const std::string& fate) {
      ShortTrial& trial =
          add("to a service, " + name + (ipv6 ? ", IPv6" : ", IPv4"), prepare, Filled(rules, ipv6), fate);
      trial.ipv6 = ipv6;
      trial.address = service;
      trial.listens = peer;
    };
    to_service("POSTROUTING by the peer beyond", "T -t mangle -A POSTROUTING -d " + peer + fins, "fin_dropped");
    to_service("POSTROUTING by the service", "T -t mangle -A POSTROUTING -d " + service + fins, "clean");
    to_service("OUTPUT by the service", "T -A OUTPUT -d " + service + fins, "clean");
    to_service("mangle OUTPUT by the service", "T -t mangle -A OUTPUT -d " + service + fins, "fin_dropped");
    to_service("raw PREROUTING by the peer beyond", "T -t raw -A PREROUTING -s " + peer + fins, "peer_fin_dropped");
    to_service("INPUT by the service", "T -A INPUT -s " + service + fins, "clean");
  }
  const std::string snat =
      "ip address add 192.0.2.9/24 dev veth0; iptables-nft -t nat -A POSTROUTING -p tcp --dport 80 -j SNAT --to-source "
      "192.0.2.9";
  const auto egress = [](const std::string& source) {
    return "nft 'table netdev n { chain e { type filter hook egress device veth0 priority 0; ip saddr " + source +
           " tcp flags & fin == fin drop; }; }'";
  };
  add("from another address, egress by it", snat, egress("192.0.2.9"), "fin_dropped");
  add("from another address, egress by its own", snat, egress("192.0.2.1"), "clean");
  add("from another address, raw PREROUTING by it", snat,
      "iptables-nft -t raw -A PREROUTING -d 192.0.2.9 -p tcp --tcp-flags SYN,FIN,ACK ACK -j DROP", "peer_decides");
  add("from another address, INPUT by it", snat, "iptables-nft -A INPUT -d 192.0.2.9" + fins, "clean");

  // Where the service seems to be is not where its packets go.
  const std::string elsewhere =
      "ip link add side type veth peer name far netns $FAR; ip address add 198.51.100.1/24 dev side; ip link set side "
      "up; iptables-nft -t nat -A OUTPUT -d 192.0.2.77 -j DNAT --to-destination 198.51.100.2; iptables-nft -t nat -A "
      "POSTROUTING -o side -j MASQUERADE";
  const auto by_device = [&](const std::string& name, const std::string& rules, const std::string& fate) {
    ShortTrial& trial = add("over another device, " + name, elsewhere, rules, fate);
    trial.prepare_peer = "ip address add 198.51.100.2/24 dev far; ip link set far up";
    trial.address = "192.0.2.77";
    trial.listens = "198.51.100.2";
  };
  by_device("POSTROUTING by it", "iptables-nft -t mangle -A POSTROUTING -o side" + fins, "fin_dropped");
  by_device("OUTPUT by it", "iptables-nft -A OUTPUT -o side" + fins, "clean");
  by_device("INPUT by it", "sysctl -qw net.ipv4.conf.all.rp_filter=1; iptables-nft -A INPUT -i side" + fins,
            "peer_fin_dropped");

  ShortTrial& window =
      add("a closed window, whose probes are translated again",
          "ip route add 203.0.113.5 via 192.0.2.2; iptables-nft -t nat -A OUTPUT -d 203.0.113.5 -j DNAT "
          "--to-destination 192.0.2.2",
          "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP", "clean");
  window.address = "203.0.113.5";
  window.listens = "192.0.2.2";
  window.entry_stays = false;
  window.peer = PeerAct::kStopsReading;
  return all;
}

// Routing that changes under an open connection. No rule drops anything.
std::vector<ShortTrial> Routing() {
  std::vector<ShortTrial> all;
  for (const bool ipv6 : {false, true}) {
    const std::string ip = ipv6 ? "ip -6 " : "ip ";
    const std::string default_route = ip + "route add default dev veth0; ";
    const auto add = [&](const std::string& name, const std::string& rules, const std::string& fate) -> ShortTrial& {
      all.push_back(One("routing: " + name + (ipv6 ? ", IPv6" : ", IPv4"), Filled(rules, ipv6), fate));
      all.back().ipv6 = ipv6;
      all.back().refused_by_routing = fate != "clean";
      return all.back();
    };
    for (const std::string type : {"blackhole", "unreachable", "prohibit"}) {
      add(type, default_route + ip + "route add " + type + " PEER", "fin_dropped");
      add(type + " by mark", ip + "route add " + type + " default table 77; " + ip + "rule add fwmark 7 table 77",
          "fin_dropped")
          .mark = 7;
      add("a rule of type " + type, default_route + ip + "rule add from all to PEER " + type, "fin_dropped");
    }
    add("blackhole of another mark", ip + "route add blackhole default table 77; " + ip + "rule add fwmark 8 table 77",
        "clean")
        .mark = 7;
    add("blackhole of others",
        default_route + ip + "route add blackhole " + (ipv6 ? "2001:db8:7::/48" : "203.0.113.0/24"), "clean");
    add("blackhole by the mark that a rule sets",
        ip + "route add blackhole default table 77; " + ip +
            "rule add fwmark 7 table 77; T -t mangle -A OUTPUT -p tcp --dport 80 -j MARK --set-mark 7",
        "fin_dropped")
        .refused_by_routing = false;
    add("no route", ip + "route flush dev veth0 " + (ipv6 ? "root 2001:db8::/32" : ""), "fin_dropped");
    add("the address is gone",
        default_route + ip + "address del " + (ipv6 ? "2001:db8::1/32" : "192.0.2.1/24") + " dev veth0",
        ipv6 ? "ack_dropped" : "fin_dropped")
        .cause = ipv6 ? "no_reply" : "local_error";  // over IPv6 the FIN does leave
  }
  all.push_back(One("routing: the type of service that a rule sets",
                    "ip route add blackhole default table 77; ip rule add tos 0x10 table 77; "
                    "iptables-nft -t mangle -A OUTPUT -p tcp --dport 80 -j TOS --set-tos 0x10",
                    "fin_dropped"));
  all.push_back(One("routing: another type of service",
                    "ip route add blackhole default table 77; ip rule add tos 0x08 table 77; "
                    "iptables-nft -t mangle -A OUTPUT -p tcp --dport 80 -j TOS --set-tos 0x10",
                    "clean"));
  ShortTrial& localnet =
      all.emplace_back(One("routing: 127.0.0.0/8 as a network",
                           "iptables-nft -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -j DROP", "fin_dropped"));
  const std::string network =
      "sysctl -qw net.ipv4.conf.veth0.route_localnet=1; ip route del local 127.0.0.0/8 dev lo table local; ip address "
      "add 127.9.0.";
  localnet.prepare = network + "1/24 dev veth0";
  localnet.prepare_peer = network + "2/24 dev veth0";
  localnet.address = "127.9.0.2";
  for (ShortTrial& trial : std::vector<ShortTrial>(all)) {
    if (trial.name.find("blackhole, ") != std::string::npos || trial.name.find("is gone") != std::string::npos) {
      trial.name += ", tracked";
      trial.entry_stays = true;
      all.push_back(std::move(trial));
    }
  }
  return all;
}

// What one packet of a close changes in sets and lists, and in conntrack's table, the next one finds.
std::vector<ShortTrial> Lasting() {
  const std::string note = "T -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -m recent --name noted --set --rdest; ";
  const std::string from_noted = "T -A INPUT -i veth0 -p tcp -m recent --name noted --rcheck --rsource -j DROP";
  const std::string fin_from_noted =
      "T -A INPUT -i veth0 -p tcp --tcp-flags FIN FIN -m recent --name noted --rcheck --rsource -j DROP";
  const std::string own_noted =
      "T -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -m recent --name noted --rcheck --rsource -j DROP";
  const std::string first_try =
      "T -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -m recent --name tried --rcheck --rdest -j ACCEPT; "
      "T -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -m recent --name tried --set --rdest -j DROP";
  const std::string overlapping =
      "nft 'table inet f { chain c { type filter hook output priority 0; ct state invalid meta l4proto . tcp dport "
      "vmap "
      "{ tcp . 80-500 : drop, icmp . 1-1000 : accept }; }; }'";
  return InBothFamilies({
      {"INPUT drops what comes from where the FIN went", (note + from_noted).c_str(), "ack_dropped"},
      {"INPUT drops the FIN from where ours went", (note + fin_from_noted).c_str(), "peer_fin_dropped"},
      {"OUTPUT drops to whom nothing was noted", (note + own_noted).c_str(), "clean"},
      {"OUTPUT drops the first try only", first_try.c_str(), "clean"},
      {"INPUT drops FINs that are NEW", NFT("input", "tcp flags & fin == fin ct state new drop"), "peer_fin_dropped"},
      {"INPUT drops the first answer only",
       "nft 'table inet f { set s { type ipv4_addr; flags dynamic; }; set t { type ipv6_addr; flags dynamic; }; "
       "chain c { type filter hook input priority 0; ct state new ip saddr @s accept; ct state new ip6 saddr @t "
       "accept; "
       "ct state new add @s { ip saddr } drop; ct state new meta l4proto tcp add @t { ip6 saddr } drop; }; }'",
       "clean"},
      {"ranges of several fields that overlap", overlapping.c_str(), "fin_dropped"},
  });
}

// Peers that have closed, have gone, or read no more.
std::vector<ShortTrial> Peers() {
  std::vector<ShortTrial> all;
  for (const bool ipv6 : {false, true}) {
    const auto add = [&](const std::string& name, PeerAct act, const std::string& rules, const std::string& fate) {
      all.push_back(One(name + (ipv6 ? ", IPv6" : ", IPv4"), Filled(rules, ipv6), fate));
      all.back().ipv6 = ipv6;
      all.back().peer = act;
    };
    add("CLOSE_WAIT, OUTPUT INVALID", PeerAct::kCloses, "T -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
        "fin_dropped");
    add("CLOSE_WAIT, INPUT lets in what is tracked", PeerAct::kCloses,
        "T -A INPUT -p tcp -i veth0 -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP", "ack_dropped");
    // As long as it is in FIN_WAIT_2 its answer is no reset.
    add("CLOSE_WAIT, INPUT INVALID", PeerAct::kCloses, "T -A INPUT -m conntrack --ctstate INVALID -j DROP",
        "peer_decides");
    all.back().cause = "";
    add("CLOSE_WAIT, legacy FORWARD INVALID", PeerAct::kCloses, "L -A FORWARD -m conntrack --ctstate INVALID -j DROP",
        "clean");
    add("a peer that has gone, OUTPUT INVALID", PeerAct::kClosesAndGoes,
        "T -A OUTPUT -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
    add("a peer that has gone, INPUT INVALID", PeerAct::kClosesAndGoes,
        "T -A INPUT -m conntrack --ctstate INVALID -j DROP", "peer_decides");
    all.back().undetermined = true;
    add("a peer that has gone, nothing in the way", PeerAct::kClosesAndGoes,
        "T -A INPUT -m conntrack --ctstate INVALID -j ACCEPT", "clean");
    add("a closed window, OUTPUT INVALID", PeerAct::kStopsReading, "T -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
        "clean");
    // Its update is the first packet that makes an entry.
    add("a closed window, OUTPUT lets out what is tracked", PeerAct::kStopsReading,
        "T -A OUTPUT -p tcp -o veth0 -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP", "peer_decides");
    all.back().cause = "";
    add("a closed window, nothing without an entry", PeerAct::kStopsReading,
        "T -A OUTPUT -p tcp -o veth0 -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP; T -A INPUT -p tcp -i veth0 "
        "-m "
        "conntrack ! --ctstate ESTABLISHED,RELATED -j DROP",
        "fin_dropped");
  }
  return all;
}

}  // namespace

std::vector<ShortTrialGroup> ShortTrials() {
  return {{"WayOut", WayOut()},          {"WayIn", WayIn()},     {"Facts", Facts()},
          {"Bridges", Bridges()},        {"Tracked", Tracked()}, {"Translated", Translated()},
          {"Routing", Routing()},        {"Peers", Peers()},     {"Lasting", Lasting()},
          {"Reported", ReportedTrials()}};
}

}  // namespace finwait::e2e
