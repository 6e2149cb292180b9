#include "tests/kernel/collectors/firewall/eval/random_ruleset.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "tests/kernel/collectors/firewall/eval/dice.h"
#include "tests/kernel/collectors/firewall/eval/random_facts.h"
#include "tests/kernel/collectors/firewall/eval/random_nat.h"

namespace finwait::firewall::eval {
namespace {

using Tool = RandomTable::Tool;

std::string Address(Dice& dice, bool six) {
  return six ? dice.Of({"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::9"})
             : dice.Of({"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "198.51.100.7"});
}

std::string Prefix(Dice& dice, bool six) {
  if (dice.Chance(60)) {
    return Address(dice, six);
  }
  return six ? dice.Of({"2001:db8::/32", "2001:db8::/127", "2001:db8::2/127", "::/0", "2001:db8::4/126", "fe80::/10"})
             : dice.Of({"192.0.2.0/24", "192.0.2.0/31", "192.0.2.2/31", "0.0.0.0/0", "192.0.2.0/30", "10.0.0.0/8"});
}

std::string Port(Dice& dice) { return dice.Of({"22", "80", "443", "8080", "9"}); }

// ---------------------------------------------------------------------------------------------------- iptables

struct XtPlace {
  bool six;
  bool legacy;
  std::string table;
  std::string hook;

  bool HasIn() const { return hook == "PREROUTING" || hook == "INPUT" || hook == "FORWARD"; }
  bool HasOut() const { return hook == "POSTROUTING" || hook == "OUTPUT" || hook == "FORWARD"; }
  bool Sends() const { return hook == "POSTROUTING" || hook == "OUTPUT"; }
};

std::string States(Dice& dice) {
  std::string states;
  for (const char* state : {"INVALID", "NEW", "ESTABLISHED", "RELATED", "UNTRACKED"}) {
    if (dice.Chance(std::string(state) == "INVALID" ? 65 : 25)) {
      states += (states.empty() ? "" : ",") + std::string(state);
    }
  }
  return states.empty() ? "INVALID" : states;
}

std::string XtTcp(Dice& dice) {
  std::string match = "-p tcp";
  switch (dice.Below(5)) {
    case 0:
      return match;
    case 1:
      match += " -m tcp " + dice.Not(30) + dice.Of({"--dport ", "--sport "});
      return match +
             (dice.Chance(60) ? Port(dice) : dice.Of({"20:79", "80:443", "444:", ":1023", "32768:65535", "0:65535"}));
    case 2:
      match += " -m multiport " + dice.Not(30) + dice.Of({"--dports ", "--sports ", "--ports "});
      return match + dice.Of({"22,80", "80,443,8080", "1:79,443", "22,8000:9000", "443"});
    case 3:
      match += " -m tcp " + dice.Not(30) + "--tcp-flags ";
      return match + dice.Of({"FIN FIN", "FIN,ACK FIN,ACK", "SYN,RST,ACK,FIN SYN", "RST RST", "FIN,RST NONE",
                              "FIN,SYN,RST,ACK ACK", "SYN,RST SYN,RST", "ACK NONE"});
    default:
      return match + " -m tcp " + dice.Not(60) + "--syn";
  }
}

std::string XtConntrack(Dice& dice, const XtPlace& place) {
  switch (dice.Below(8)) {
    case 0:
      return "-m state " + dice.Not(15) + "--state " +
             dice.Of({"INVALID", "NEW", "INVALID,NEW", "ESTABLISHED,RELATED"});
    case 1:
      return "-m conntrack " + dice.Not(40) + "--ctstatus " +
             dice.Of({"ASSURED", "SEEN_REPLY", "CONFIRMED", "EXPECTED"});
    case 2:
      return "-m conntrack --ctdir " + dice.Of({"ORIGINAL", "REPLY"});
    case 3:
      return "-m conntrack --ctstate " + States(dice) + " " + dice.Not(30) +
             dice.Of({"--ctorigdst ", "--ctorigsrc ", "--ctreplsrc ", "--ctrepldst "}) + Address(dice, place.six);
    case 4:
      return "-p tcp -m conntrack --ctstate " + States(dice) + " " + dice.Not(30) +
             dice.Of({"--ctorigdstport ", "--ctreplsrcport "}) + Port(dice);
    default:
      return "-m conntrack " + dice.Not(20) + "--ctstate " + States(dice);
  }
}

// Headers that IPv6 packets could have, lifetimes, lengths: what firewalls ask beside addresses and ports.
std::string XtHeader(Dice& dice, const XtPlace& place) {
  switch (dice.Below(5)) {
    case 0:
      if (place.six) {
        return dice.Of({"-m rt --rt-type 0", "-m rt ! --rt-type 0", "-m ipv6header --header prot --soft",
                        "-m ipv6header ! --header frag --soft", "-m ipv6header --header prot",
                        "-m ipv6header --header hop,prot", "-m frag --fragfirst", "-m hbh --hbh-len 8", "-m dst"});
      }
      return dice.Of({"! -f", "-f"});
    case 1:
      return dice.Of({"-m length --length 40:100", "-m length ! --length 0:20", "-m length --length 2000:65535"});
    case 2:
      return place.hook != "OUTPUT" ? "-m comment --comment third"
             : place.six            ? dice.Of({"-m hl --hl-eq 64", "-m hl --hl-lt 64", "-m hl ! --hl-eq 1"})
                                    : dice.Of({"-m ttl --ttl-eq 64", "-m ttl --ttl-lt 64", "-m ttl ! --ttl-eq 1"});
    case 3:
      return place.hook == "PREROUTING" || place.hook == "INPUT" ? dice.Of({"-m socket", "-m socket --nowildcard"})
                                                                 : "-m physdev ! --physdev-is-bridged";
    default:
      return "-m physdev " + dice.Not(50) + "--physdev-is-bridged";
  }
}

std::string XtMatch(Dice& dice, const XtPlace& place) {
  switch (dice.Below(21)) {
    case 0:
      return dice.Not(30) + "-s " + Prefix(dice, place.six);
    case 1:
      return dice.Not(30) + "-d " + Prefix(dice, place.six);
    case 2:
      if (place.HasIn()) {
        return dice.Not(30) + "-i " + dice.Of({"veth0", "lo", "ve+", "eth0", "l+", "veth0+"});
      }
      return dice.Not(30) + "-o " + dice.Of({"veth0", "lo", "ve+", "eth0", "l+", "veth0+"});
    case 3:
      return "-m mark " + dice.Not(30) + "--mark " + dice.Of({"0x1", "0x0", "0x2/0x3", "0x10/0xf0", "0x0/0x1"});
    case 4:
      return "-m connmark " + dice.Not(40) + "--mark " + dice.Of({"0x0", "0x1", "0x4/0xf"});
    case 5:
      return place.six ? "-m iprange " + dice.Not(30) + dice.Of({"--src-range ", "--dst-range "}) +
                             dice.Of({"2001:db8::1-2001:db8::2", "2001:db8::2-2001:db8::9"})
                       : "-m iprange " + dice.Not(30) + dice.Of({"--src-range ", "--dst-range "}) +
                             dice.Of({"192.0.2.1-192.0.2.2", "192.0.2.2-192.0.2.200", "10.0.0.0-192.0.2.1"});
    case 6:
      return "-m addrtype " + dice.Not(30) + dice.Of({"--src-type ", "--dst-type "}) +
             dice.Of({"LOCAL", "UNICAST", "MULTICAST"});
    case 7:
      if (place.Sends()) {
        return "-m owner " + dice.Not(40) +
               dice.Of({"--uid-owner 0", "--uid-owner 12", "--gid-owner 0", "--uid-owner 0-50", "--socket-exists"});
      }
      return "-m pkttype " + dice.Not(30) + "--pkt-type " + dice.Of({"unicast", "broadcast"});
    case 8:
      return "-m comment --comment something";
    case 9:
      if (place.hook == "OUTPUT") {
        return dice.Of(
            {"-m dscp --dscp 0", "-m dscp ! --dscp 8", "-m tos --tos 0", "-m physdev ! --physdev-is-bridged"});
      }
      return "-m comment --comment else";
    case 10:
      return dice.Of({"-p udp", "-p icmp", "! -p tcp", "! -p udp", "-p tcp -m tcp --tcp-option 2",
                      "-p tcp -m tcp ! --tcp-option 4"});
    case 11:
      return XtHeader(dice, place);
    case 12:
    case 13:
    case 14:
    case 15:
      return XtTcp(dice);
    default:
      return XtConntrack(dice, place);
  }
}

// Matches that stand side by side: a rule has one protocol and each match once.
std::string XtMatches(Dice& dice, const XtPlace& place) {
  std::string rule;
  bool protocol = false;
  std::set<std::string> used;
  for (unsigned i = dice.Below(4); i > 0; --i) {
    const std::string match = XtMatch(dice, place);
    const bool has_protocol = match.find("-p ") != std::string::npos;
    const std::size_t extension = match.find("-m ");
    const std::string name = extension != std::string::npos && match.find("-p ") == std::string::npos
                                 ? match.substr(extension, match.find(' ', extension + 3) - extension)
                                 : match.substr(0, match.find("-") + 2);
    if ((has_protocol && protocol) || !used.insert(name[0] == '!' ? name.substr(2) : name).second) {
      continue;
    }
    protocol = protocol || has_protocol;
    rule += " " + match;
  }
  return rule;
}

std::string XtTarget(Dice& dice, const XtPlace& place, const std::vector<std::string>& chains, std::string* protocol) {
  if (!chains.empty() && dice.Chance(30)) {
    return dice.Of({" -j ", " -j ", " -g "}) + chains[dice.Below(chains.size())];
  }
  if (place.table == "raw" && dice.Chance(35)) {
    return dice.Of({" -j CT --notrack", " -j CT --notrack", " -j CT --zone 3", " -j NOTRACK"});
  }
  if (place.table == "mangle" && dice.Chance(40)) {
    return " -j " +
           dice.Of({"MARK --set-xmark 0x1", "MARK --set-xmark 0x12/0xff", "MARK --or-mark 0x2", "MARK --and-mark 0xfd",
                    "MARK --xor-mark 0x3", "CONNMARK --set-mark 4", "CONNMARK --save-mark", "CONNMARK --restore-mark",
                    "CLASSIFY --set-class 1:2", place.six ? "HL --hl-set 9" : "TTL --ttl-set 9", "DSCP --set-dscp 8"});
  }
  if (place.table == "filter" && dice.Chance(15)) {
    if (dice.Chance(50)) {
      *protocol = " -p tcp";
      return " -j REJECT --reject-with tcp-reset";
    }
    return place.six ? " -j REJECT --reject-with icmp6-adm-prohibited"
                     : " -j REJECT --reject-with icmp-port-unreachable";
  }
  return dice.Of({" -j ACCEPT", " -j ACCEPT", " -j DROP", " -j DROP", " -j DROP", " -j RETURN", " -j NFLOG", ""});
}

void FillXtChain(Dice& dice, const XtPlace& place, const std::vector<std::string>& targets, RandomTable::Chain& chain,
                 bool* unknowable) {
  for (unsigned i = 1 + dice.Below(4); i > 0; --i) {
    std::string protocol;
    std::string target = XtTarget(dice, place, targets, &protocol);
    if (target.find("DSCP") != std::string::npos || target.find("TTL") != std::string::npos ||
        target.find("HL") != std::string::npos) {
      target = place.hook == "OUTPUT" ? target : " -j MARK --or-mark 0x1";  // what the peer sends keeps its header
    }
    std::string matches = XtMatches(dice, place);
    if (!protocol.empty()) {
      const bool other = matches.find("-p ") != std::string::npos;
      matches = other ? " -p tcp" : matches + protocol;
    }
    if (dice.Chance(2)) {
      *unknowable = true;
      matches += dice.Of({" -m limit --limit 1/hour --limit-burst 1", " -m statistic --mode random --probability 0.5",
                          " -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 1 --hashlimit-name h",
                          " -m u32 --u32 0x0&0xf=0x5", " -m quota --quota 100", " -m recent --name r --rcheck",
                          " -m string --algo bm --string x", " -m time --timestart 00:00 --timestop 12:00",
                          " -m connlimit --connlimit-above 3"});
    }
    chain.rules.push_back("-A " + chain.name + matches + target);
  }
}

RandomTable XtTable(Dice& dice, bool six, bool legacy, const std::string& name, bool* unknowable) {
  RandomTable table;
  table.tool = legacy ? (six ? Tool::kIp6tablesLegacy : Tool::kIptablesLegacy)
                      : (six ? Tool::kIp6tablesNft : Tool::kIptablesNft);
  table.name = name;
  std::vector<std::string> hooks;
  if (name == "raw") {
    hooks = {"PREROUTING", "OUTPUT"};
  } else if (name == "mangle") {
    hooks = {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"};
  } else {
    hooks = {"INPUT", "OUTPUT"};
  }
  for (const std::string& hook : hooks) {
    const XtPlace place{six, legacy, name, hook};
    // Chains of its own, so that no rule stands where its matches are not allowed. Later ones may be jumped to.
    std::vector<std::string> targets;
    std::vector<RandomTable::Chain> chains;
    for (unsigned i = dice.Below(3); i > 0; --i) {
      RandomTable::Chain chain;
      chain.name = "u" + std::to_string(i) + "_" + hook;
      FillXtChain(dice, place, targets, chain, unknowable);
      targets.push_back(chain.name);
      chains.push_back(chain);
    }
    RandomTable::Chain base;
    base.name = hook;
    base.base = hook;
    base.policy_drop = dice.Chance(name == "filter" ? 15 : 3);
    FillXtChain(dice, place, targets, base, unknowable);
    table.chains.push_back(base);
    table.chains.insert(table.chains.end(), chains.begin(), chains.end());
  }
  return table;
}

// ---------------------------------------------------------------------------------------------------- nftables

struct NftPlace {
  std::string family;
  std::string hook;
  bool six = false;  ///< which family the rule at hand speaks of, where the table has both

  bool HasIn() const { return hook == "ingress" || hook == "prerouting" || hook == "input"; }
};

std::string NftSet(Dice& dice, const NftPlace& place, std::vector<std::string>& sets, const std::string& type,
                   const std::string& elements, const char* flags) {
  (void)place;
  if (dice.Chance(60)) {
    return "{ " + elements + " }";
  }
  const std::string name = "s" + std::to_string(sets.size());
  sets.push_back("set " + name + " { type " + type + "; " + flags + " elements = { " + elements + " }; }");
  return "@" + name;
}

std::string NftAddress(Dice& dice, const NftPlace& place, std::vector<std::string>& sets) {
  const bool six = place.six;
  const std::string field =
      std::string(six ? "ip6 " : "ip ") + dice.Of({"saddr ", "daddr "}) + dice.Of({"", "", "!= "});
  switch (dice.Below(4)) {
    case 0:
      return field + Address(dice, six);
    case 1: {
      const std::string prefix = Prefix(dice, six);
      return field + (prefix == "0.0.0.0/0" || prefix == "::/0" ? Address(dice, six) : prefix);
    }
    case 2:
      return field + (six ? dice.Of({"2001:db8::1-2001:db8::2", "2001:db8::2-2001:db8::ff"})
                          : dice.Of({"192.0.2.1-192.0.2.2", "192.0.2.2-192.0.2.99", "0.0.0.0-191.255.255.255"}));
    default:
      return field + (six ? NftSet(dice, place, sets, "ipv6_addr",
                                   dice.Of({"2001:db8::1, 2001:db8::4", "2001:db8::2, 2001:db8::8/125",
                                            "2001:db8::1-2001:db8::3"}),
                                   "flags interval;")
                          : NftSet(dice, place, sets, "ipv4_addr",
                                   dice.Of({"192.0.2.1, 192.0.2.4", "192.0.2.2, 192.0.2.64/26, 10.0.0.0/8",
                                            "192.0.2.1-192.0.2.3"}),
                                   "flags interval;"));
  }
}

std::string NftPorts(Dice& dice, const NftPlace& place, std::vector<std::string>& sets) {
  const std::string field = dice.Of({"tcp dport ", "tcp sport ", "th dport "});
  switch (dice.Below(5)) {
    case 0:
      return field + dice.Of({"", "!= "}) + Port(dice);
    case 1:
      return field + dice.Of({"< 443", "> 80", "<= 80", ">= 8080", "< 32768"});
    case 2:
      return field + dice.Of({"", "!= "}) + dice.Of({"20-79", "80-443", "1024-65535"});
    case 3:
      return field + dice.Of({"", "!= "}) +
             NftSet(dice, place, sets, "inet_service", dice.Of({"22, 80", "80, 443, 8080", "443"}), "");
    default:
      return field + dice.Of({"", "!= "}) +
             NftSet(dice, place, sets, "inet_service", dice.Of({"1-79, 443", "22, 8000-9000"}), "flags interval;");
  }
}

std::string NftConcatenation(Dice& dice, const NftPlace& place, std::vector<std::string>& sets) {
  if (!place.six) {
    return "ip daddr . tcp dport " + dice.Of({"", "!= "}) +
           (dice.Chance(50)
                ? NftSet(dice, place, sets, "ipv4_addr . inet_service",
                         dice.Of({"192.0.2.2 . 80, 192.0.2.4 . 443", "192.0.2.1 . 22, 192.0.2.2 . 8080"}), "")
                : NftSet(dice, place, sets, "ipv4_addr . inet_service",
                         dice.Of({"192.0.2.0/24 . 80-443", "192.0.2.2-192.0.2.3 . 22, 192.0.2.4 . 1-65535"}),
                         "flags interval;"));
  }
  return "ip6 saddr . tcp sport " + dice.Of({"", "!= "}) +
         NftSet(dice, place, sets, "ipv6_addr . inet_service",
                dice.Of({"2001:db8::1 . 80, 2001:db8::2 . 443", "2001:db8::2 . 22"}), "");
}

std::string NftMatch(Dice& dice, const NftPlace& place, std::vector<std::string>& sets) {
  const bool netdev = place.family == "netdev";
  switch (dice.Below(netdev ? 11 : 22)) {
    case 0:
    case 1:
      return NftAddress(dice, place, sets);
    case 2:
    case 3:
      return NftPorts(dice, place, sets);
    case 4:
      return "tcp flags " + dice.Of({"& fin == fin", "& (fin|rst) != 0", "& (fin|syn|rst|ack) == ack", "fin", "! fin",
                                     "& rst == 0", "{ ack, rst|ack, fin|ack|psh, fin|ack }"});
    case 5:
      return NftConcatenation(dice, place, sets);
    case 6:
      return place.HasIn() ? dice.Of({"iifname ", "iifname != "}) +
                                 dice.Of({"\"veth0\"", "\"lo\"", "\"ve*\"", "{ \"lo\", \"eth0\" }"})
                           : dice.Of({"oifname ", "oifname != "}) +
                                 dice.Of({"\"veth0\"", "\"lo\"", "\"ve*\"", "{ \"lo\", \"eth0\" }"});
    case 7:
      return "meta " + dice.Of({"l4proto tcp", "l4proto != 17", place.six ? "protocol ip6" : "protocol ip",
                                place.family != "inet" ? "mark 0x0"
                                : place.six            ? "nfproto ipv6"
                                                       : "nfproto ipv4",
                                "mark 0x1", "mark & 0x3 == 0x2", "mark != 0x0", "pkttype host"});
    case 8:
      return dice.Of({"@th,16,16 & 0xf == 0x0", place.six ? "@nh,0,4 6" : "@nh,0,4 4", "@th,106,1 0x1",
                      "meta iif \"lo\"", "meta oif != \"lo\"", "meta length < 100"});
    case 9:
      return dice.Of({"tcp option maxseg exists", "tcp option sack-perm missing", "tcp option window exists",
                      place.six ? "exthdr rt missing" : "ip option lsrr missing",
                      place.six ? "exthdr frag exists" : "ip option ra exists", "tcp doff >= 5", "tcp doff 3",
                      "tcp urgptr 0", "tcp urgptr != 0", place.six ? "ip6 nexthdr tcp" : "ip protocol tcp",
                      place.six ? "ip6 version 6" : "ip frag-off & 0x1fff == 0x0"});
    case 10:
      return dice.Of({"tcp dport & 0x1 == 0x1", "tcp dport & 0xff00 != 0x0", "tcp dport & 0xf0 == 0x50",
                      "tcp dport { 22, 80 } tcp sport != 443", "tcp dport . tcp sport != { 80 . 80 }",
                      "meta iifname . tcp dport { \"veth0\" . 80, \"lo\" . 443 }", "meta iiftype ether",
                      "meta oiftype loopback", "meta oifkind \"veth\""});
    case 11:
      return dice.Of({"fib daddr type local", "fib saddr type != local", "fib daddr type { local, broadcast }"});
    case 12:
      return place.hook == "output" || place.hook == "postrouting"
                 ? dice.Of(
                       {place.six ? "ip6 dscp cs0" : "ip dscp cs0", place.six ? "ip6 dscp cs1" : "ip dscp { cs1, cs2 }",
                        place.six ? "ip6 hoplimit 64" : "ip ttl 64", place.six ? "ip6 hoplimit < 64" : "ip ttl > 64"})
                 : dice.Of({"meta mark . tcp dport { 0x0 . 80, 0x1 . 443 }", "meta mark { 0-1, 5-9 }"});
    case 13:
      return place.hook == "input"
                 ? dice.Of({"socket wildcard 0", "socket wildcard 1"})
                 : dice.Of({"ct zone 0", "ct protocol tcp", "ct l3proto ipv4", "ct mark { 0x0, 0x4 }"});
    case 14:
      return dice.Of({"meta l4proto tcp ct original proto-dst 80", "meta l4proto tcp ct reply proto-src { 80, 443 }",
                      place.six ? "ct original ip6 daddr 2001:db8::2" : "ct original ip daddr 192.0.2.2",
                      place.six ? "ct reply ip6 saddr 2001:db8::2" : "ct reply ip saddr != 192.0.2.2"});
    case 15:
      return dice.Of({"meta skuid 0", "meta skuid != 12", "meta skgid 0-5", "meta skuid > 3"});
    case 16:
      return dice.Of({"ct mark 0x0", "ct mark != 0x4", "ct direction original", "ct status & assured == 0",
                      "ct status confirmed", "ct expiration > 1s"});
    default:
      return "ct state " + dice.Of({"invalid", "new", "{ invalid, untracked }", "established,related", "!= invalid",
                                    "{ new, invalid }", "untracked", "!= { established, related }"});
  }
}

std::string NftVerdict(Dice& dice, const std::vector<std::string>& chains) {
  if (!chains.empty() && dice.Chance(30)) {
    return dice.Of({"jump ", "jump ", "goto "}) + chains[dice.Below(chains.size())];
  }
  return dice.Of({"accept", "accept", "drop", "drop", "drop", "return", "continue"});
}

std::string NftRule(Dice& dice, NftPlace place, const std::vector<std::string>& chains, std::vector<std::string>& sets,
                    bool* unknowable) {
  const bool netdev = place.family == "netdev";
  std::string rule;
  place.six = place.family == "ip6" || (place.family != "ip" && dice.Chance(50));
  for (unsigned i = dice.Below(4); i > 0; --i) {
    rule += NftMatch(dice, place, sets) + " ";
  }
  if (dice.Chance(2)) {
    *unknowable = true;
    rule += dice.Of({"limit rate 1/hour burst 1 packets ", "numgen random mod 2 0 ", "meta random & 0x1 == 0x1 ",
                     "quota over 100 bytes ", "quota until 100 bytes "});
  }
  if (dice.Chance(4)) {  // drawn by chance, and the same whatever is drawn
    const std::string verdict = NftVerdict(dice, chains);
    return rule + "numgen random mod 2 vmap { 0 : " + verdict + ", 1 : " + verdict + " }";
  }
  switch (dice.Below(14)) {
    case 12:
      if (!netdev && place.six == (place.family == "ip6")) {
        return rule + (place.six ? "ip6 saddr . tcp dport vmap { 2001:db8::1 . 80 : " + NftVerdict(dice, chains) +
                                       ", 2001:db8::2 . 443 : " + NftVerdict(dice, chains) + " }"
                                 : "ip daddr . tcp dport vmap { 192.0.2.1-192.0.2.2 . 1-100 : " +
                                       NftVerdict(dice, chains) + ", 192.0.2.4 . 443 : " + NftVerdict(dice, chains) +
                                       ", 192.0.2.0/30 . 8000-9000 : " + NftVerdict(dice, chains) + " }");
      }
      return rule + "tcp dport vmap { 22 : " + NftVerdict(dice, chains) + ", * : " + NftVerdict(dice, chains) + " }";
    case 13:
      return rule + (netdev ? "counter"
                            : dice.Of({"meta mark set meta mark xor 0x3", "meta mark set meta mark lshift 1 or 0x1",
                                       "ct mark set meta mark", "meta mark set ct mark", "meta priority set 1:1",
                                       "ct zone set 7", "meta mark set tcp dport map { 1-100 : 1, 443 : 2, * : 3 }"}));
    case 0:
      return rule + (netdev ? "counter"
                            : dice.Of({"meta mark set 0x1", "meta mark set meta mark or 0x2",
                                       "meta mark set tcp dport map { 80 : 1, 443 : 2 }", "ct mark set 0x4"}));
    case 1:
      return rule + "tcp dport vmap { 80 : " + NftVerdict(dice, chains) + ", 443 : " + NftVerdict(dice, chains) +
             ", 1-50 : " + NftVerdict(dice, chains) + " }";
    case 2:
      return netdev ? rule + "drop"
                    : rule + "ct state vmap { invalid : " + NftVerdict(dice, chains) +
                          ", new : " + NftVerdict(dice, chains) + ", established : accept }";
    case 3:
      return netdev || place.hook == "postrouting" || place.hook == "prerouting"
                 ? rule + "log prefix \"x\""
                 : rule + "reject with " +
                       (place.family == "inet" ? dice.Of({"tcp reset", "icmpx type port-unreachable"}) : "tcp reset");
    case 4:
      return netdev ? rule + "accept" : rule + "notrack";
    default:
      return rule + (dice.Chance(30) ? "counter " : "") + NftVerdict(dice, chains);
  }
}

RandomTable NftTable(Dice& dice, unsigned number, bool* unknowable) {
  RandomTable table;
  table.tool = Tool::kNft;
  table.family = dice.Of({"inet", "inet", "ip", "ip6", "netdev"});
  table.name = "t" + std::to_string(number);
  const bool netdev = table.family == "netdev";
  for (unsigned i = 1 + dice.Below(3); i > 0; --i) {
    NftPlace place{table.family, netdev ? dice.Of({"ingress", "egress"})
                                        : dice.Of({"output", "input", "prerouting", "postrouting", "output", "input"})};
    const std::string suffix = std::to_string(number) + "_" + std::to_string(i);
    std::vector<std::string> targets;
    std::vector<RandomTable::Chain> chains;
    for (unsigned j = dice.Below(3); j > 0; --j) {
      RandomTable::Chain chain;
      chain.name = "u" + std::to_string(j) + "_" + suffix;
      for (unsigned k = 1 + dice.Below(3); k > 0; --k) {
        chain.rules.push_back(NftRule(dice, place, targets, table.sets, unknowable));
      }
      targets.push_back(chain.name);
      chains.push_back(chain);
    }
    RandomTable::Chain base;
    base.name = "b_" + suffix;
    const std::string priority =
        netdev ? dice.Of({"0", "-10", "10"})
               : dice.Of({"0", "0", "-300", "-150", "-201", "-200", "-199", "-1", "5", "50", "-400", "300"});
    const bool route = place.hook == "output" && dice.Chance(20);
    base.base = std::string("type ") + (route ? "route" : "filter") + " hook " + place.hook +
                (netdev ? " device \"" + dice.Of({"veth0", "lo"}) + "\"" : "") + " priority " + priority + ";";
    base.policy_drop = dice.Chance(10);
    for (unsigned k = 1 + dice.Below(4); k > 0; --k) {
      base.rules.push_back(NftRule(dice, place, targets, table.sets, unknowable));
    }
    // A jump needs its chain to be there already.
    table.chains.insert(table.chains.end(), chains.begin(), chains.end());
    table.chains.push_back(base);
  }
  return table;
}

// ------------------------------------------------------------------------------------------------------ loading

const char* Program(Tool tool) {
  switch (tool) {
    case Tool::kNft:
      return "nft";
    case Tool::kIptablesNft:
      return "iptables-nft-restore";
    case Tool::kIp6tablesNft:
      return "ip6tables-nft-restore";
    case Tool::kIptablesLegacy:
      return "iptables-legacy-restore";
    case Tool::kIp6tablesLegacy:
      return "ip6tables-legacy-restore";
  }
  return "nft";
}

std::string Script(const RandomTable& table) {
  std::string script;
  if (table.tool == Tool::kNft) {
    script = "table " + table.family + " " + table.name + " {\n";
    for (const std::string& set : table.sets) {
      script += " " + set + "\n";
    }
    for (const RandomTable::Chain& chain : table.chains) {
      script += " chain " + chain.name + " {\n";
      if (!chain.base.empty()) {
        script += "  " + chain.base + " policy " + (chain.policy_drop ? "drop" : "accept") + ";\n";
      }
      for (const std::string& rule : chain.rules) {
        script += "  " + rule + "\n";
      }
      script += " }\n";
    }
    return script + "}\n";
  }
  script = "*" + table.name + "\n";
  for (const RandomTable::Chain& chain : table.chains) {
    script += ":" + chain.name +
              (chain.base.empty()  ? " - [0:0]\n"
               : chain.policy_drop ? " DROP [0:0]\n"
                                   : " ACCEPT [0:0]\n");
  }
  for (const RandomTable::Chain& chain : table.chains) {
    for (const std::string& rule : chain.rules) {
      script += rule + "\n";
    }
  }
  return script + "COMMIT\n";
}

}  // namespace

std::string RandomRuleset::Backend() const {
  std::set<std::string> backends;
  std::vector<RandomTable> all = nat;
  all.insert(all.end(), tables.begin(), tables.end());
  for (const RandomTable& table : all) {
    backends.insert(table.tool == Tool::kNft                                                ? "nft"
                    : table.tool == Tool::kIptablesNft || table.tool == Tool::kIp6tablesNft ? "iptables-nft"
                                                                                            : "legacy");
  }
  return backends.size() == 1 ? *backends.begin() : "mixed";
}

bool RandomRuleset::Untracks() const {
  const auto untracks = [](const std::string& rule) {
    return rule.find("notrack") != std::string::npos || rule.find("NOTRACK") != std::string::npos;
  };
  return std::any_of(tables.begin(), tables.end(), [&](const RandomTable& table) {
    return std::any_of(table.chains.begin(), table.chains.end(), [&](const RandomTable::Chain& chain) {
      return std::any_of(chain.rules.begin(), chain.rules.end(), untracks);
    });
  });
}

std::string RandomRuleset::Text() const {
  std::string text = tcp_loose ? "" : "sysctl -w net.netfilter.nf_conntrack_tcp_loose=0\n";
  for (const RandomTable& table : nat) {
    text += std::string(Program(table.tool)) + (table.tool == Tool::kNft ? " -f -" : " -n") + " <<'END'\n" +
            Script(table) + "END\n";
  }
  text += nat.empty()       ? ""
          : nat_before_open ? "# here the connections are opened\n"
                            : "# the connections were opened before that\n";
  for (const RandomTable& table : tables) {
    text += std::string(Program(table.tool)) + (table.tool == Tool::kNft ? " -f -" : " -n") + " <<'END'\n" +
            Script(table) + "END\n";
  }
  return text;
}

void RandomRuleset::LoadNat(const lab::Namespace& where) const { Load(where, nat); }

void RandomRuleset::LoadRest(const lab::Namespace& where) const { Load(where, tables); }

void RandomRuleset::Load(const lab::Namespace& where, const std::vector<RandomTable>& tables) {
  // One call for each program, with all its tables.
  for (const Tool tool :
       {Tool::kNft, Tool::kIptablesNft, Tool::kIp6tablesNft, Tool::kIptablesLegacy, Tool::kIp6tablesLegacy}) {
    std::string script;
    for (const RandomTable& table : tables) {
      script += table.tool == tool ? Script(table) : "";
    }
    if (script.empty()) {
      continue;
    }
    if (script.find("--match-set") != std::string::npos) {
      MakeIpsets(where);
    }
    std::vector<std::string> command = {Program(tool)};
    if (tool == Tool::kNft) {
      command.insert(command.end(), {"-f", "-"});
    } else {
      command.push_back("-n");
    }
    const lab::CommandOutput output = where.Command(command, script);
    if (output.exit_code != 0) {
      throw RefusedRuleset(std::string(Program(tool)) + ": " + output.err + "\n" + script);
    }
  }
}

RandomRuleset MakeRandomRuleset(std::uint64_t seed) {
  Dice dice(seed);
  RandomRuleset ruleset;
  ruleset.tcp_loose = dice.Chance(60);
  const unsigned kind = dice.Below(4);  // one backend alone, or a mixture
  const bool nft = kind == 0 || (kind == 3 && dice.Chance(70));
  const bool iptables = kind == 1 || (kind == 3 && dice.Chance(50));
  const bool legacy = kind == 2 || (kind == 3 && dice.Chance(70));
  if (nft) {
    for (unsigned i = 1 + dice.Below(2); i > 0; --i) {
      ruleset.tables.push_back(NftTable(dice, i, &ruleset.unknowable));
    }
  }
  for (const bool old : {false, true}) {
    if (!(old ? legacy : iptables)) {
      continue;
    }
    for (const bool six : {false, true}) {
      for (const char* table : {"raw", "mangle", "filter", "security"}) {
        if (dice.Chance(std::string(table) == "filter" ? 85 : 25)) {
          ruleset.tables.push_back(XtTable(dice, six, old, table, &ruleset.unknowable));
        }
      }
    }
  }
  if (ruleset.tables.empty()) {
    ruleset.tables.push_back(NftTable(dice, 1, &ruleset.unknowable));
  }
  if (dice.Chance(35)) {
    AddRandomNat(dice, ruleset);
  }
  Dice facts(seed ^ 0x5eed);  // of its own, so that the rest of the ruleset stays what its seed has always made
  AddRandomFacts(facts, ruleset);
  return ruleset;
}

std::vector<RandomRuleset> SmallerThan(const RandomRuleset& ruleset) {
  std::vector<RandomRuleset> smaller;
  const auto with = [&](auto change) {
    RandomRuleset copy = ruleset;
    change(copy);
    smaller.push_back(std::move(copy));
  };
  for (std::size_t t = 0; t < ruleset.nat.size() && !ruleset.virtual_addresses[0] && !ruleset.virtual_addresses[1] &&
                          !ruleset.service_ports[0] && !ruleset.service_ports[1];
       ++t) {
    with([&](RandomRuleset& copy) { copy.nat.erase(copy.nat.begin() + static_cast<std::ptrdiff_t>(t)); });
  }
  for (std::size_t t = 0; t < ruleset.tables.size(); ++t) {
    with([&](RandomRuleset& copy) { copy.tables.erase(copy.tables.begin() + static_cast<std::ptrdiff_t>(t)); });
  }
  for (std::size_t t = 0; t < ruleset.tables.size(); ++t) {
    for (std::size_t s = 0; s < ruleset.tables[t].sets.size(); ++s) {
      with([&](RandomRuleset& copy) {
        copy.tables[t].sets.erase(copy.tables[t].sets.begin() + static_cast<std::ptrdiff_t>(s));
      });
    }
    for (std::size_t c = 0; c < ruleset.tables[t].chains.size(); ++c) {
      if (ruleset.tables[t].chains[c].rules.empty()) {
        with([&](RandomRuleset& copy) {
          copy.tables[t].chains.erase(copy.tables[t].chains.begin() + static_cast<std::ptrdiff_t>(c));
        });
      }
      const RandomTable::Chain& chain = ruleset.tables[t].chains[c];
      if (chain.rules.size() > 1) {
        with([&](RandomRuleset& copy) { copy.tables[t].chains[c].rules.clear(); });
      }
      if (chain.policy_drop) {
        with([&](RandomRuleset& copy) { copy.tables[t].chains[c].policy_drop = false; });
      }
      for (std::size_t r = 0; r < chain.rules.size(); ++r) {
        with([&](RandomRuleset& copy) {
          auto& rules = copy.tables[t].chains[c].rules;
          rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(r));
        });
      }
    }
  }
  return smaller;
}

}  // namespace finwait::firewall::eval
