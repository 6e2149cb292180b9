#include "tests/kernel/collectors/firewall/random_ruleset.h"

#include <algorithm>
#include <initializer_list>
#include <random>
#include <set>
#include <stdexcept>

namespace finwait::firewall {
namespace {

using Tool = RandomTable::Tool;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  unsigned Below(std::size_t limit) { return static_cast<unsigned>(engine_() % limit); }
  bool Chance(unsigned percent) { return Below(100) < percent; }
  std::string Of(std::initializer_list<const char*> choices) { return *(choices.begin() + Below(choices.size())); }
  std::string Not(unsigned percent) { return Chance(percent) ? "! " : ""; }

 private:
  std::mt19937_64 engine_;
};

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

std::string States(Dice& dice, bool alias) {
  std::string states;
  for (const char* state : {"INVALID", "NEW", "ESTABLISHED", "RELATED", "UNTRACKED"}) {
    if (dice.Chance(std::string(state) == "INVALID" ? 65 : 25)) {
      states += (states.empty() ? "" : ",") + std::string(state);
    }
  }
  (void)alias;
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
      return "-m conntrack --ctstate " + States(dice, false) + " " + dice.Not(30) +
             dice.Of({"--ctorigdst ", "--ctorigsrc ", "--ctreplsrc ", "--ctrepldst "}) + Address(dice, place.six);
    case 4:
      return "-p tcp -m conntrack --ctstate " + States(dice, false) + " " + dice.Not(30) +
             dice.Of({"--ctorigdstport ", "--ctreplsrcport "}) + Port(dice);
    default:
      return "-m conntrack " + dice.Not(20) + "--ctstate " + States(dice, false);
  }
}

std::string XtMatch(Dice& dice, const XtPlace& place) {
  switch (dice.Below(20)) {
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
      return dice.Of({"-p udp", "-p icmp", "! -p tcp", "! -p udp"});
    case 11:
    case 12:
    case 13:
    case 14:
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
    return " -j CT --notrack";
  }
  if (place.table == "mangle" && dice.Chance(40)) {
    return " -j " +
           dice.Of({"MARK --set-xmark 0x1", "MARK --set-xmark 0x12/0xff", "MARK --or-mark 0x2", "MARK --and-mark 0xfd",
                    "MARK --xor-mark 0x3", "CONNMARK --set-mark 4", "CONNMARK --save-mark"});
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
    const std::string target = XtTarget(dice, place, targets, &protocol);
    std::string matches = XtMatches(dice, place);
    if (!protocol.empty()) {
      const bool other = matches.find("-p ") != std::string::npos;
      matches = other ? " -p tcp" : matches + protocol;
    }
    if (dice.Chance(2)) {
      *unknowable = true;
      matches += dice.Of({" -m limit --limit 1/hour --limit-burst 1", " -m statistic --mode random --probability 0.5"});
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

// nat rules: packets without an entry never meet them, those that conntrack takes for a new connection's do.
RandomTable XtNatTable(Dice& dice, bool six, bool legacy) {
  RandomTable table;
  table.tool = legacy ? (six ? Tool::kIp6tablesLegacy : Tool::kIptablesLegacy)
                      : (six ? Tool::kIp6tablesNft : Tool::kIptablesNft);
  table.name = "nat";
  const std::string port = Port(dice);
  const std::string to = six ? "2001:db8::4" : "192.0.2.4";
  RandomTable::Chain output{"OUTPUT", "OUTPUT", false, {}};
  RandomTable::Chain prerouting{"PREROUTING", "PREROUTING", false, {}};
  RandomTable::Chain postrouting{"POSTROUTING", "POSTROUTING", false, {}};
  RandomTable::Chain input{"INPUT", "INPUT", false, {}};
  output.rules.push_back("-A OUTPUT -p tcp --dport " + port + " -j DNAT --to-destination " + to);
  prerouting.rules.push_back("-A PREROUTING -i veth0 -p tcp --dport 9 -j REDIRECT --to-ports 10");
  postrouting.rules.push_back("-A POSTROUTING -p tcp --dport 9 -j MASQUERADE");
  if (dice.Chance(40)) {
    postrouting.rules.push_back("-A POSTROUTING -o veth0 -p tcp --dport " + Port(dice) + " -j SNAT --to-source " +
                                (six ? "2001:db8::1" : "192.0.2.1"));
  }
  table.chains = {prerouting, input, output, postrouting};
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
  switch (dice.Below(netdev ? 9 : 17)) {
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
      return dice.Of({"fib daddr type local", "fib saddr type != local", "fib daddr type { local, broadcast }"});
    case 10:
      return dice.Of({"meta skuid 0", "meta skuid != 12", "meta skgid 0-5", "meta skuid > 3"});
    case 11:
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
    rule += dice.Of({"limit rate 1/hour burst 1 packets ", "numgen random mod 2 0 ", "meta random & 0x1 == 0x1 "});
  }
  switch (dice.Below(12)) {
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
  for (const RandomTable& table : tables) {
    backends.insert(table.tool == Tool::kNft                                                ? "nft"
                    : table.tool == Tool::kIptablesNft || table.tool == Tool::kIp6tablesNft ? "iptables-nft"
                                                                                            : "legacy");
  }
  return backends.size() == 1 ? *backends.begin() : "mixed";
}

std::string RandomRuleset::Text() const {
  std::string text = tcp_loose ? "" : "sysctl -w net.netfilter.nf_conntrack_tcp_loose=0\n";
  for (const RandomTable& table : tables) {
    text += std::string(Program(table.tool)) + (table.tool == Tool::kNft ? " -f -" : " -n") + " <<'END'\n" +
            Script(table) + "END\n";
  }
  return text;
}

void RandomRuleset::Load(const lab::Namespace& where) const {
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
      if (dice.Chance(15)) {
        ruleset.tables.push_back(XtNatTable(dice, six, old));
      }
    }
  }
  if (ruleset.tables.empty()) {
    ruleset.tables.push_back(NftTable(dice, 1, &ruleset.unknowable));
  }
  return ruleset;
}

std::vector<RandomRuleset> SmallerThan(const RandomRuleset& ruleset) {
  std::vector<RandomRuleset> smaller;
  const auto with = [&](auto change) {
    RandomRuleset copy = ruleset;
    change(copy);
    smaller.push_back(std::move(copy));
  };
  for (std::size_t t = 0; t < ruleset.tables.size(); ++t) {
    with([&](RandomRuleset& copy) { copy.tables.erase(copy.tables.begin() + static_cast<std::ptrdiff_t>(t)); });
  }
  for (std::size_t t = 0; t < ruleset.tables.size(); ++t) {
    for (std::size_t c = 0; c < ruleset.tables[t].chains.size(); ++c) {
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

}  // namespace finwait::firewall
