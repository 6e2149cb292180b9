#include "tests/kernel/collectors/firewall/eval/random_nat.h"

#include "tests/kernel/collectors/firewall/eval/closing_trial.h"

namespace finwait::firewall::eval {
namespace {

using Tool = RandomTable::Tool;
using Chain = RandomTable::Chain;

// Virtual addresses over the wire and over loopback, and where each leads.
std::vector<std::pair<std::string, std::string>> Services(bool six) {
  std::vector<std::pair<std::string, std::string>> services;
  for (const bool loopback : {false, true}) {
    for (const unsigned which : {0U, 1U}) {
      services.emplace_back(VirtualAddress(six, loopback, which), TrialAddress(six, !loopback, which));
    }
  }
  return services;
}

std::string Text(std::uint16_t port) { return std::to_string(port); }

// "[address]:port" where the tool wants it so.
std::string XtEnd(bool six, const std::string& address, const std::string& port) {
  return (six ? "[" + address + "]" : address) + ":" + port;
}

RandomTable XtNat(Dice& dice, bool six, bool legacy, bool addresses, bool ports, bool* unknowable) {
  RandomTable table;
  table.tool = legacy ? (six ? Tool::kIp6tablesLegacy : Tool::kIptablesLegacy)
                      : (six ? Tool::kIp6tablesNft : Tool::kIptablesNft);
  table.name = "nat";
  Chain output{"OUTPUT", "OUTPUT", false, {}};
  Chain prerouting{"PREROUTING", "PREROUTING", false, {}};
  Chain postrouting{"POSTROUTING", "POSTROUTING", false, {}};
  Chain input{"INPUT", "INPUT", false, {}};
  Chain services{"SERVICES", "", false, {}};
  std::vector<Chain> endpoints;
  if (addresses) {
    output.rules.push_back("-A OUTPUT -j SERVICES");
    unsigned number = 0;
    for (const auto& [service, address] : Services(six)) {
      const std::string match = "-A SERVICES -d " + service + " ";
      switch (dice.Below(3)) {
        case 0:
          services.rules.push_back(match + "-p tcp -j DNAT --to-destination " + address);
          break;
        case 1:  // the port as well, to what it was
          for (const std::uint16_t port : ClosingTrial::kPorts) {
            services.rules.push_back(match + "-p tcp --dport " + Text(port) + " -j DNAT --to-destination " +
                                     XtEnd(six, address, Text(port)));
          }
          break;
        default: {  // endpoints drawn by chance, as kube-proxy does it
          Chain chain{"SVC" + std::to_string(number++), "", false, {}};
          services.rules.push_back(match + "-p tcp -j " + chain.name);
          chain.rules.push_back("-A " + chain.name +
                                " -m statistic --mode random --probability 0.5 -p tcp -j DNAT --to-destination " +
                                address);
          chain.rules.push_back("-A " + chain.name + " -p tcp -j DNAT --to-destination " + address);
          endpoints.push_back(chain);
        }
      }
    }
  }
  for (const std::uint16_t port : ClosingTrial::kPorts) {
    if (ports) {
      prerouting.rules.push_back("-A PREROUTING " + std::string(dice.Chance(50) ? "! -i lo " : "") + "-p tcp --dport " +
                                 Text(ServicePort(port)) + " -j DNAT --to-destination :" + Text(port));
    }
  }
  if (dice.Chance(30)) {  // over loopback too, where prerouting comes too late
    prerouting.rules.push_back("-A PREROUTING -i lo -p tcp -j REDIRECT --to-ports 9");
  }
  switch (dice.Below(5)) {
    case 0:
      postrouting.rules.push_back("-A POSTROUTING -o veth0 -j MASQUERADE");
      break;
    case 1:
      postrouting.rules.push_back("-A POSTROUTING -o veth0 -p tcp -m multiport --dports 80,22 -j SNAT --to-source " +
                                  TrialAddress(six, false, dice.Below(2)));
      break;
    case 2:
      postrouting.rules.push_back("-A POSTROUTING ! -o lo -p tcp --dport 443 -j MASQUERADE --random-fully");
      *unknowable = true;
      break;
    case 3:
      postrouting.rules.push_back("-A POSTROUTING -s " + TrialAddress(six, false, 1) +
                                  " -p tcp -o veth0 -j SNAT --to-source " + TrialAddress(six, false, 0));
      break;
    default:
      break;
  }
  table.chains = {prerouting, input, output, postrouting, services};
  table.chains.insert(table.chains.end(), endpoints.begin(), endpoints.end());
  return table;
}

std::string NftBase(const std::string& hook, const std::string& priority) {
  return "type nat hook " + hook + " priority " + priority + ";";
}

RandomTable NftNat(Dice& dice, bool six, bool addresses, bool ports, bool* unknowable) {
  RandomTable table;
  table.tool = Tool::kNft;
  const bool inet = !ports && dice.Chance(40);  // nft has no way to change the port alone there
  table.family = inet ? "inet" : six ? "ip6" : "ip";
  table.name = std::string("nat") + (six ? "6" : "4");
  const std::string ip = six ? "ip6" : "ip";
  const std::string to = inet ? "dnat " + ip + " to " : "dnat to ";
  Chain output{"output", NftBase("output", dice.Of({"-100", "-90", "0"})), false, {}};
  Chain prerouting{"prerouting", NftBase("prerouting", "-100"), false, {}};
  Chain postrouting{"postrouting", NftBase("postrouting", dice.Of({"100", "110"})), false, {}};
  std::vector<Chain> endpoints;
  if (addresses) {
    const auto services = Services(six);
    if (dice.Chance(40)) {
      std::string map;
      for (const auto& [service, address] : services) {
        map += (map.empty() ? "" : ", ") + service + " : " + address;
      }
      output.rules.push_back(to + ip + " daddr map { " + map + " }");
    } else {
      unsigned number = 0;
      std::string map;
      for (const auto& [service, address] : services) {
        Chain chain{"service" + std::to_string(number++), "", false, {}};
        if (dice.Chance(50)) {  // endpoints drawn by chance
          for (const char* each : {"a", "b"}) {
            endpoints.push_back({chain.name + each, "", false, {"meta l4proto tcp " + to + address}});
          }
          chain.rules.push_back("numgen random mod 2 vmap { 0 : goto " + chain.name + "a, 1 : goto " + chain.name +
                                "b }");
        } else {
          chain.rules.push_back("meta l4proto tcp " + to + address);
        }
        endpoints.push_back(chain);
        map += (map.empty() ? "" : ", ") + service + " : goto " + chain.name;
      }
      output.rules.push_back(ip + " daddr vmap { " + map + " }");
    }
  }
  if (ports) {
    std::string map;
    for (const std::uint16_t port : ClosingTrial::kPorts) {
      map += (map.empty() ? "" : ", ") + Text(ServicePort(port)) + " : " + Text(port);
    }
    prerouting.rules.push_back("tcp dport { 10022, 10080, 10443, 18080 } dnat to :tcp dport map { " + map + " }");
  }
  const std::string source = inet ? "snat " + ip + " to " : "snat to ";
  switch (dice.Below(4)) {
    case 0:
      postrouting.rules.push_back("oifname \"veth0\" masquerade");
      break;
    case 1:
      postrouting.rules.push_back("oifname \"veth0\" " + ip + " saddr " + TrialAddress(six, false, 1) + " " + source +
                                  TrialAddress(six, false, 0));
      break;
    case 2:
      *unknowable = dice.Chance(50);
      postrouting.rules.push_back(std::string("oif != \"lo\" tcp dport { 80, 443 } masquerade") +
                                  (*unknowable ? " random" : ""));
      break;
    default:
      break;
  }
  table.chains = endpoints;
  table.chains.insert(table.chains.end(), {prerouting, output, postrouting});
  return table;
}

}  // namespace

void AddRandomNat(Dice& dice, RandomRuleset& ruleset) {
  ruleset.nat_before_open = dice.Chance(80);
  for (const bool six : {false, true}) {
    if (dice.Chance(30)) {
      continue;
    }
    const bool addresses = dice.Chance(80);
    const bool ports = dice.Chance(50);
    bool unknowable = false;  // under which port a connection is masqueraded
    switch (dice.Below(3)) {
      case 0:
        ruleset.nat.push_back(NftNat(dice, six, addresses, ports, &unknowable));
        break;
      default:
        ruleset.nat.push_back(XtNat(dice, six, dice.Chance(50), addresses, ports, &unknowable));
    }
    ruleset.unknowable = ruleset.unknowable || unknowable;
    ruleset.virtual_addresses[six ? 1 : 0] = addresses && ruleset.nat_before_open;
    ruleset.service_ports[six ? 1 : 0] = ports && ruleset.nat_before_open;
  }
}

}  // namespace finwait::firewall::eval
