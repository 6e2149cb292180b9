#include "tests/bench/load/kube_rules.h"

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace finwait::bench {
namespace {

constexpr std::size_t kRulesAService = 8;  // the service's own, its three, and two for each of two endpoints

std::string Address(const char* network, std::size_t i) {
  return std::string(network) + std::to_string(i / 250 % 250) + "." + std::to_string(1 + i % 250);
}
std::string ServiceAddress(std::size_t i) { return Address("198.18.", i); }
std::string EndpointAddress(std::size_t i) { return Address("198.19.", i); }

// Kubernetes makes names of sixteen letters and digits out of a hash.
std::string Hash(std::size_t i) {
  std::string name(16, 'A');
  auto bits = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15U;
  for (char& letter : name) {
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bits & 31];
    bits = bits >> 5 | bits << 59;
  }
  return name;
}

std::size_t Services(std::size_t rules) { return rules / kRulesAService; }

}  // namespace

std::string KubeProxyIptables(std::size_t rules) {
  std::string chains;
  std::string body;
  for (std::size_t i = 0; i < Services(rules); ++i) {
    const std::string service = "KUBE-SVC-" + Hash(i);
    const std::string name = "\"ns-" + std::to_string(i % 50) + "/service-" + std::to_string(i) + ":http";
    chains += ":" + service + " - [0:0]\n";
    body += "-A KUBE-SERVICES -d " + ServiceAddress(i) + "/32 -p tcp -m comment --comment " + name +
            " cluster IP\" -m tcp --dport 80 -j " + service + "\n";
    body += "-A " + service + " ! -s 198.19.0.0/16 -d " + ServiceAddress(i) + "/32 -p tcp -m comment --comment " +
            name + " cluster IP\" -m tcp --dport 80 -j KUBE-MARK-MASQ\n";
    for (const std::size_t endpoint : {2 * i, 2 * i + 1}) {
      const std::string chain = "KUBE-SEP-" + Hash(1000000 + endpoint);
      chains += ":" + chain + " - [0:0]\n";
      body += "-A " + service + " -m comment --comment " + name + " -> " + EndpointAddress(endpoint) + ":8080\"" +
              (endpoint % 2 == 0 ? " -m statistic --mode random --probability 0.50000000000" : "") + " -j " + chain +
              "\n";
      body += "-A " + chain + " -s " + EndpointAddress(endpoint) + "/32 -m comment --comment " + name +
              "\" -j KUBE-MARK-MASQ\n";
      body += "-A " + chain + " -p tcp -m comment --comment " + name + "\" -m tcp -j DNAT --to-destination " +
              EndpointAddress(endpoint) + ":8080\n";
    }
  }
  return "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
         ":KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]\n" +
         chains +
         "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
         "-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
         "-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING\n"
         "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n"
         "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
         "-A KUBE-POSTROUTING -j MASQUERADE\n" +
         body +
         "COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]\n"
         ":KUBE-FIREWALL - [0:0]\n"
         "-A INPUT -j KUBE-FIREWALL\n"
         "-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD\n"
         "-A OUTPUT -j KUBE-FIREWALL\n"
         "-A OUTPUT -m conntrack --ctstate INVALID -j DROP\n"
         "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n"
         "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT\n"
         "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
         "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n"
         "COMMIT\n";
}

std::string KubeProxyNft(std::size_t rules) {
  std::string chains;
  std::string services = "  chain services {\n";
  for (std::size_t i = 0; i < Services(rules); ++i) {
    const std::string service = "service-" + Hash(i);
    services += "    ip daddr " + ServiceAddress(i) + " tcp dport 80 counter jump " + service + "\n";
    std::string body = "  chain " + service + " {\n    ip saddr != 198.19.0.0/16 counter jump mark-for-masquerade\n";
    for (const std::size_t endpoint : {2 * i, 2 * i + 1}) {
      const std::string chain = "endpoint-" + Hash(1000000 + endpoint);
      chains += "  chain " + chain + " {\n    ip saddr " + EndpointAddress(endpoint) +
                " counter jump mark-for-masquerade\n    meta l4proto tcp counter dnat to " + EndpointAddress(endpoint) +
                ":8080\n  }\n";
      body +=
          std::string("    ") + (endpoint % 2 == 0 ? "numgen random mod 2 0 " : "") + "counter jump " + chain + "\n";
    }
    chains += body + "  }\n";
  }
  services += "  }\n";
  return "table ip kube-proxy {\n  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }\n" + chains +
         services +
         "  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
         "  chain nat-output { type nat hook output priority -100; jump services; }\n"
         "  chain nat-postrouting { type nat hook postrouting priority srcnat; meta mark & 0x4000 == 0x4000 "
         "masquerade; "
         "}\n"
         "  chain filter-forward { type filter hook forward priority -110; ct state invalid counter drop; }\n"
         "  chain filter-output { type filter hook output priority -110; ct state invalid counter drop; }\n}\n";
}

const char* Name(Rules backend) {
  switch (backend) {
    case Rules::kLegacy:
      return "legacy";
    case Rules::kIptablesNft:
      return "iptables-nft";
    case Rules::kNative:
      return "native nft";
  }
  return "";
}

void LoadKubeRules(const lab::Namespace& where, Rules backend, std::size_t rules) {
  const std::vector<std::string> command =
      backend == Rules::kLegacy        ? std::vector<std::string>{"iptables-legacy-restore"}
      : backend == Rules::kIptablesNft ? std::vector<std::string>{"iptables-nft-restore"}
                                       : std::vector<std::string>{"nft", "-f", "-"};
  const auto output =
      where.Command(command, backend == Rules::kNative ? KubeProxyNft(rules) : KubeProxyIptables(rules), 300);
  if (output.exit_code != 0) {
    throw std::runtime_error(command.front() + ": " + output.err.substr(0, 500));
  }
}

}  // namespace finwait::bench
