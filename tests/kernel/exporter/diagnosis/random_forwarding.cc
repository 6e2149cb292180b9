#include "tests/kernel/exporter/diagnosis/random_forwarding.h"

#include "tests/kernel/collectors/firewall/eval/dice.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Dice;

// Names and addresses of a ForwardingScene.
struct Words {
  bool six;
  std::string device;  // of the pod
  std::string pod, other, peer, host, service;

  std::string At(const std::string& address, const char* port) const {
    return (six ? "[" + address + "]" : address) + ":" + port;
  }
};

Words WordsFor(const SceneOptions& scene) {
  const bool six = scene.family == IpFamily::kIpv6;
  return {six,
          scene.joint == Joint::kBridge ? "br0" : "cali0",
          six ? "2001:db8:1::2" : "192.0.2.2",
          six ? "2001:db8:1::3" : "192.0.2.3",
          six ? "2001:db8:2::2" : "198.51.100.2",
          six ? "2001:db8:2::1" : "198.51.100.1",
          six ? "2001:db8:a::10" : "203.0.113.10"};
}

std::string Address(Dice& dice, const Words& words) {
  switch (dice.Below(6)) {
    case 0:
      return words.pod;
    case 1:
      return words.peer;
    case 2:
      return words.host;
    case 3:
      return words.other;
    case 4:
      return words.six ? "2001:db8:1::/64" : "192.0.2.0/24";
    default:
      return words.six ? "2001:db8:2::/64" : "198.51.100.0/24";
  }
}

std::string States(Dice& dice) {
  return dice.Of({"INVALID", "INVALID", "INVALID", "NEW", "ESTABLISHED,RELATED", "INVALID,NEW", "UNTRACKED",
                  "ESTABLISHED,RELATED,NEW"});
}

// ------------------------------------------------------------------------------------------------------------ iptables

std::string XtMatch(Dice& dice, const Words& words, const std::string& chain) {
  const bool in = chain == "PREROUTING" || chain == "FORWARD" || chain == "INPUT" || chain == "USER";
  const bool out = chain == "FORWARD" || chain == "POSTROUTING" || chain == "USER";
  switch (dice.Below(12)) {
    case 0:
      return in && chain != "USER" ? dice.Not(25) + "-i " + dice.Of({"up0", "br0", "cali+", words.device.c_str()}) : "";
    case 1:
      return out && chain != "USER" ? dice.Not(25) + "-o " + dice.Of({"up0", "br0", "cali+", words.device.c_str()})
                                    : "";
    case 2:
      return dice.Not(25) + "-s " + Address(dice, words);
    case 3:
      return dice.Not(25) + "-d " + Address(dice, words);
    case 4:
      return "-p tcp " + dice.Not(25) + dice.Of({"--dport ", "--sport "}) +
             dice.Of({"80", "443", "8080", "1024:65535"});
    case 5:
      return "-p tcp --tcp-flags " + dice.Of({"FIN FIN", "FIN,ACK FIN,ACK", "SYN,RST,ACK,FIN SYN", "RST RST"});
    case 6:
      return dice.Not(30) + "-m mark --mark " + dice.Of({"0x1/0x1", "0x0/0x1", "0x2/0x2"});
    case 7:
      return "-m addrtype " + dice.Not(30) + dice.Of({"--dst-type LOCAL", "--src-type LOCAL", "--dst-type UNICAST"});
    case 8:
      return in ? dice.Not(30) + "-m physdev " + dice.Of({"--physdev-in cali0", "--physdev-is-bridged"}) : "";
    default:
      return "-m conntrack " + dice.Not(20) + "--ctstate " + States(dice);
  }
}

// `! ` stands before the option itself: "-m mark ! --mark".
std::string Tidied(std::string match) {
  const std::size_t at = match.find("! -m ");
  if (at == 0) {
    const std::size_t option = match.find("--");
    match = match.substr(2, option - 2) + "! " + match.substr(option);
  }
  return match;
}

std::string XtRule(Dice& dice, const Words& words, const std::string& table, const std::string& chain) {
  std::string rule = " -t " + table + " -A " + chain + " " + Tidied(XtMatch(dice, words, chain));
  if (dice.Chance(40)) {
    const std::string second = Tidied(XtMatch(dice, words, chain));
    const std::string option = second.substr(0, second.find_first_of(' ', second.starts_with("!") ? 2 : 0));
    if (rule.find(option.substr(0, 2)) == std::string::npos) {
      rule += " " + second;
    }
  }
  if (table == "mangle") {
    return rule + " -j " +
           dice.Of({"MARK --set-xmark 0x1/0x1", "MARK --set-xmark 0x2/0x2", "MARK --set-mark 0", "DROP"});
  }
  if (table == "raw") {
    return rule + " -j " + dice.Of({"CT --notrack", "DROP", "ACCEPT", "MARK --set-xmark 0x1/0x1"});
  }
  const bool may_jump = chain == "FORWARD" && dice.Chance(20);
  return rule + " -j " + (may_jump ? "USER" : dice.Of({"ACCEPT", "ACCEPT", "DROP", "DROP", "RETURN", "REJECT"}));
}

// ----------------------------------------------------------------------------------------------------------------- nft

std::string NftMatch(Dice& dice, const Words& words) {
  const std::string ip = words.six ? "ip6 " : "ip ";
  const std::string comparison = dice.Chance(25) ? "!= " : "";
  switch (dice.Below(9)) {
    case 0:
      return dice.Of({"iifname ", "oifname "}) + comparison + dice.Of({"\"up0\" ", "\"br0\" ", "\"cali*\" "});
    case 1:
      return ip + "saddr " + comparison + Address(dice, words) + " ";
    case 2:
      return ip + "daddr " + comparison + Address(dice, words) + " ";
    case 3:
      return "tcp " + dice.Of({"dport ", "sport "}) + comparison + dice.Of({"80 ", "{ 80, 443 } ", "1024-65535 "});
    case 4:
      return "tcp flags & (fin | rst) " + dice.Of({"!= 0 ", "== fin "});
    case 5:
      return "meta mark & 1 " + dice.Of({"== 1 ", "== 0 "});
    case 6:
      return "fib saddr . iif oif " + dice.Of({"missing ", "exists "});
    default:
      return "ct state " + comparison +
             dice.Of({"invalid ", "new ", "established,related ", "invalid,new ", "untracked "});
  }
}

std::string NftTable(Dice& dice, const Words& words, int number) {
  std::string table = "table " + dice.Of({"inet", words.six ? "ip6" : "ip"}) + " t" + std::to_string(number) + " {\n";
  const std::string hook = dice.Of({"forward", "forward", "forward", "prerouting", "postrouting", "input"});
  table += " chain c { type filter hook " + hook + " priority " + dice.Of({"-300", "-150", "0", "10", "300"}) +
           "; policy " + dice.Of({"accept", "accept", "drop"}) + ";\n";
  for (unsigned rules = 1 + dice.Below(4); rules > 0; --rules) {
    std::string match = NftMatch(dice, words) + (dice.Chance(40) ? NftMatch(dice, words) : "");
    for (const auto& [wrong, hooks] :
         {std::pair("oifname", "prerouting input"), std::pair("fib", "forward postrouting")}) {
      if (match.find(wrong) != std::string::npos && std::string(hooks).find(hook) != std::string::npos) {
        match = "";
      }
    }
    table += "  " + match + "counter " +
             dice.Of({"accept", "accept", "drop", "drop", "return", "meta mark set meta mark | 1",
                      hook == "forward" || hook == "input" ? "reject" : "drop"}) +
             "\n";
  }
  return "nft '" + table + " }\n}'";
}

}  // namespace

std::string RandomForwarding::Text() const {
  std::string text = std::string(scene.family == IpFamily::kIpv6 ? "ipv6" : "ipv4") +
                     (scene.joint == Joint::kBridge ? " bridge" : " routed") + (tcp_loose ? "" : " not loose") + "\n";
  for (const auto* commands : {&nat, &rest}) {
    for (const std::string& command : *commands) {
      text += command + "\n";
    }
    text += "--\n";
  }
  return text;
}

RandomForwarding MakeRandomForwarding(std::uint64_t seed) {
  Dice dice(seed);
  RandomForwarding random;
  random.scene.family = dice.Chance(50) ? IpFamily::kIpv4 : IpFamily::kIpv6;
  random.scene.joint = dice.Chance(50) ? Joint::kBridge : Joint::kRoutedVeth;
  random.scene.peer_knows_pods = true;
  random.tcp_loose = dice.Chance(80);
  const Words words = WordsFor(random.scene);
  const std::string tool = words.six ? "ip6tables" : "iptables";
  if (dice.Chance(50)) {
    const std::string nat = tool + " -t nat -A ";
    if (dice.Chance(60)) {
      random.virtual_address = true;
      random.nat.push_back(nat + "PREROUTING -d " + words.service + " -p tcp --dport 80 -j DNAT --to-destination " +
                           words.At(words.peer, "80"));
    }
    if (dice.Chance(60)) {
      random.virtual_pod = true;
      random.nat.push_back(nat + "PREROUTING -d " + words.service + " -p tcp --dport 81 -j DNAT --to-destination " +
                           words.At(words.other, "80"));
    }
    if (dice.Chance(60)) {
      random.published = true;
      random.nat.push_back(nat +
                           "PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport 8080 -j DNAT "
                           "--to-destination " +
                           words.At(words.pod, "80"));
    }
    if (dice.Chance(60)) {
      random.nat.push_back(nat + "POSTROUTING " + dice.Of({"-o up0", "! -o br0", "-d ", "-s "}) +
                           (random.nat.empty() ? "" : "") + " -j MASQUERADE");
      std::string& last = random.nat.back();
      const std::size_t bare = last.find("-d  -j") != std::string::npos ? last.find("-d  -j") : last.find("-s  -j");
      if (bare != std::string::npos) {
        last.insert(bare + 3, last[bare + 1] == 'd' ? words.other : words.pod);
      }
    }
  }
  const bool xt = dice.Chance(60);
  if (xt) {
    random.rest.push_back(tool + " -N USER");
    for (unsigned rules = dice.Below(3); rules > 0; --rules) {
      random.rest.push_back(tool + XtRule(dice, words, "filter", "USER"));
    }
    for (unsigned rules = 1 + dice.Below(4); rules > 0; --rules) {
      random.rest.push_back(tool + XtRule(dice, words, "filter", "FORWARD"));
    }
    for (const auto& [table, chain, chance] :
         {std::tuple("mangle", "PREROUTING", 40U), std::tuple("mangle", "POSTROUTING", 15U),
          std::tuple("mangle", "FORWARD", 25U), std::tuple("raw", "PREROUTING", 25U),
          std::tuple("filter", "INPUT", 25U)}) {
      if (dice.Chance(chance)) {
        random.rest.push_back(tool + XtRule(dice, words, table, chain));
      }
    }
    if (dice.Chance(30)) {
      random.rest.push_back(tool + " -P FORWARD DROP");
    }
  }
  for (unsigned tables = xt ? dice.Below(2) : 1 + dice.Below(2); tables > 0; --tables) {
    random.rest.push_back(NftTable(dice, words, static_cast<int>(tables)));
  }
  for (const std::string& command : random.rest) {
    random.untracks = random.untracks || command.find("--notrack") != std::string::npos;
  }
  return random;
}

}  // namespace finwait::diagnosis
