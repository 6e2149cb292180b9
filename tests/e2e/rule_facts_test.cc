// Rules that ask for more than a packet's addresses: each case says what the kernel does to a close, and `explain` and
// `check` agree with it and with each other.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "tests/e2e/program.h"
#include "tests/e2e/rules.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Wire;

class RuleFactsTest : public testing::Test {
 protected:
  // A connection from this host to its peer's port 80; `prepare` is done to the socket before it connects.
  UniqueFd Connect(const std::function<void(int)>& prepare = {}) {
    if (listener_ == nullptr) {
      listener_ = std::make_unique<lab::Listener>(wire_.peer, Wire::kPeer4, 80);
    }
    UniqueFd client;
    wire_.local.Run([&] {
      client = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (prepare) {
        prepare(client.Get());
      }
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(80);
      ::inet_pton(AF_INET, Wire::kPeer4, &address.sin_addr);
      ASSERT_EQ(::connect(client.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    });
    servers_.push_back(listener_->Accept());
    return client;
  }

  std::string Explained(const UniqueFd& client) const {
    const auto output = wire_.local.Command(
        {lab::Program(), "explain", lab::LocalEndpoint(client), lab::PeerEndpoint(client), "--format=json"});
    const auto json = nlohmann::json::parse(output.out, nullptr, false);
    return json.is_discarded() ? output.err : json.value("fate", "") + " " + json.value("reason", "");
  }

  // The fate of the one live socket without an entry, as `check` counts those at risk.
  std::string Checked() const {
    const auto json = nlohmann::json::parse(wire_.local.Command({lab::Program(), "check", "--format=json"}).out);
    for (const auto& [fate, count] : json["live"]["at_risk"].items()) {
      if (count.is_number() && count.get<double>() > 0) {
        return fate;
      }
    }
    return "clean";
  }

  // What becomes of the close, as the sockets of both ends show it.
  std::string Closes(UniqueFd client) const {
    const std::string port = std::to_string(Endpoint::Parse(lab::LocalEndpoint(client))->port);
    client.Reset();
    const auto has = [](const std::string& text, const char* word) { return text.find(word) != std::string::npos; };
    std::string shown;
    EXPECT_TRUE(lab::Eventually([&] {
      shown = wire_.local.Shell("ss -Htano sport = :" + port);
      return !has(shown, "FIN-WAIT-1") || has(shown, ",2)") || has(shown, ",3)");  // two tries more
    }));
    if (!has(shown, "FIN-WAIT-1")) {
      return "clean";
    }
    return has(wire_.peer.Shell("ss -Htan dport = :" + port), "ESTAB") ? "fin_dropped" : "ack_dropped";
  }

  void Expect(const std::string& fate, const std::string& rules, const std::function<void(int)>& prepare = {}) {
    SCOPED_TRACE(rules);
    UniqueFd client = Connect(prepare);
    wire_.local.Shell(rules);
    wire_.local.Shell(kTracks);  // `check` counts sockets without an entry where there are entries
    wire_.local.Shell("conntrack -F 2>/dev/null");
    EXPECT_EQ(Explained(client).substr(0, fate.size() + 1), fate + " ") << Explained(client);
    EXPECT_EQ(Checked(), fate);
    wire_.local.Shell("conntrack -F 2>/dev/null");
    EXPECT_EQ(Closes(std::move(client)), fate);
    wire_.local.Shell("nft flush ruleset");
    servers_.clear();
  }

  Wire wire_;
  std::unique_ptr<lab::Listener> listener_;
  std::vector<UniqueFd> servers_;
};

std::string Nft(const std::string& rules) { return "nft -f - <<'END'\n" + rules + "\nEND\n"; }

std::string OutputRules(const std::string& rules) {
  return Nft("table inet t { chain c { type filter hook output priority 0; " + rules + "; }; }");
}

void MakeTransparent(int socket) {
  const int on = 1;
  EXPECT_EQ(::setsockopt(socket, SOL_IP, IP_TRANSPARENT, &on, sizeof on), 0);
}

void BindTo(int socket, const char* address) {
  sockaddr_in local = {};
  local.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &local.sin_addr);
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&local), sizeof local), 0);
}

TEST_F(RuleFactsTest, ASocketHereMayHaveAnAddressThatIsNotThisHosts) {
  wire_.peer.Shell(std::string("ip route add 198.51.100.0/24 via ") + Wire::kLocal4);
  wire_.local.Shell(
      "ip rule add fwmark 1 lookup 100; ip route add local default dev lo table 100;"
      "iptables -t mangle -A PREROUTING -p tcp -m socket -j MARK --set-mark 1");
  UniqueFd client = Connect([](int socket) {
    MakeTransparent(socket);
    BindTo(socket, "198.51.100.7");
  });
  wire_.local.Shell(kDropInvalid);
  wire_.local.Shell("conntrack -F 2>/dev/null");
  EXPECT_EQ(Explained(client).substr(0, 11), "fin_dropped");
  EXPECT_EQ(Checked(), "fin_dropped");
  EXPECT_EQ(Closes(std::move(client)), "fin_dropped");
}

TEST_F(RuleFactsTest, WhetherASocketIsATransparentProxysIsKnown) {
  const std::string nft =
      Nft("table ip f { chain p { type filter hook prerouting priority -150; socket transparent 1 drop; }; }");
  Expect("clean", nft);
  Expect("ack_dropped", nft, MakeTransparent);
  Expect("clean", "iptables -t mangle -A PREROUTING -p tcp -m socket --transparent -j DROP");
}

TEST_F(RuleFactsTest, AFinIsAsLongAsItsHeaders) {
  Expect("clean", "iptables -A OUTPUT -p tcp -m length --length 53:60 -j DROP");
  Expect("fin_dropped", "iptables -A OUTPUT -p tcp -m length --length 52 -j DROP");
  Expect("fin_dropped", OutputRules("meta length 52 drop"));
  Expect("clean", OutputRules("tcp doff != 8 drop"));
  wire_.peer.Sysctl("net.ipv4.tcp_timestamps", "0");
  Expect("fin_dropped", "iptables -A OUTPUT -p tcp -m length --length 40 -j DROP");
  Expect("clean", OutputRules("ip length 52 drop"));
}

TEST_F(RuleFactsTest, WhatIsSentHasTheDefaultTimeToLive) {
  Expect("clean", "iptables -A OUTPUT -m ttl --ttl-lt 5 -j DROP");
  Expect("fin_dropped", OutputRules("ip ttl 64 drop"));
  wire_.local.Sysctl("net.ipv4.ip_default_ttl", "33");
  Expect("fin_dropped", OutputRules("ip ttl 33 drop"));
  wire_.local.Shell("ip route change 192.0.2.0/24 dev veth0 src 192.0.2.1 hoplimit 9");
  Expect("fin_dropped", OutputRules("ip ttl 9 drop"));
}

TEST_F(RuleFactsTest, ChainsOfOnePriorityRunInTheKernelsOrder) {
  const std::string marks = Nft("table inet t1 { chain o { type filter hook output priority 0; meta mark set 1; }; }");
  const std::string drops = Nft("table inet t2 { chain o { type filter hook output priority 0; meta mark 1 drop; }; }");
  Expect("clean", marks + drops);
  Expect("fin_dropped", drops + marks);
  Expect("clean", Nft("table inet t { chain m { type filter hook output priority 0; meta mark set 1; }; chain d { type "
                      "filter hook output priority 0; meta mark 1 drop; }; }"));
  Expect("fin_dropped", Nft("table inet t { chain d { type filter hook output priority 0; meta mark 1 drop; }; chain m "
                            "{ type filter hook output priority 0; meta mark set 1; }; }"));
}

TEST_F(RuleFactsTest, AChainMadeLaterThanItsTableMayBeTheNewest) {
  const std::string older = Nft("table inet t1 { chain o { type filter hook output priority 0; meta mark set 1; }; }");
  const std::string newer = Nft("table inet t2 { chain o { type filter hook output priority 0; meta mark 1 drop; }; }");
  const UniqueFd client = Connect();
  wire_.local.Shell(older + newer + Nft("flush chain inet t1 o; delete chain inet t1 o") + older);
  wire_.local.Shell("conntrack -F 2>/dev/null");
  EXPECT_EQ(Explained(client), "unknown the order of chains of one priority (`nft list hooks` tells)");
}

TEST_F(RuleFactsTest, OfTwoRulesOneOfWhichDropsCheckNamesBoth) {
  const auto table = [](const std::string& name) {
    return Nft("table inet " + name +
               " { chain o { type filter hook output priority 0; oifname veth0 ct state invalid drop; }; }");
  };
  const UniqueFd client = Connect();
  wire_.local.Shell(table("t1") + table("t2") + Nft("flush chain inet t1 o; delete chain inet t1 o") + table("t1"));
  wire_.local.Shell("conntrack -F 2>/dev/null");
  const std::string text = wire_.local.Command({lab::Program(), "check"}).out;
  EXPECT_NE(text.find("fin_dropped: either nft table inet t1, chain o, handle "), std::string::npos) << text;
  EXPECT_NE(text.find(" or nft table inet t2, chain o, handle "), std::string::npos) << text;
}

TEST_F(RuleFactsTest, WithoutIpsecPoliciesNoneApplies) {
  Expect("fin_dropped", std::string("iptables -A OUTPUT -m policy --dir out --pol ipsec -j ACCEPT;") + kDropInvalid);
  Expect("clean", std::string("iptables -A OUTPUT -m policy --dir out --pol none -j ACCEPT;") + kDropInvalid);
  Expect("clean", OutputRules("rt ipsec exists ct state invalid drop"));
  wire_.local.Shell("ip xfrm policy add dir out src 203.0.113.0/24 dst 203.0.113.0/24 action allow");
  Expect("fin_dropped", std::string("iptables -A OUTPUT -m policy --dir out --pol ipsec -j ACCEPT;") + kDropInvalid);
  wire_.local.Shell("ip xfrm policy add dir out src 192.0.2.0/24 dst 0.0.0.0/0 action allow");
  UniqueFd client = Connect();
  wire_.local.Shell(
      std::string("iptables -A OUTPUT -m policy --dir out --pol ipsec -j DROP; conntrack -F 2>/dev/null"));
  EXPECT_EQ(Explained(client).substr(0, 7), "unknown") << Explained(client);
}

TEST_F(RuleFactsTest, AQueueToWhichNobodyListensDropsUnlessItIsBypassed) {
  const std::string queue = "iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j NFQUEUE ";
  Expect("fin_dropped", queue + "--queue-num 5");
  Expect("fin_dropped", queue + "--queue-balance 5:9");
  Expect("clean", queue + "--queue-num 5 --queue-bypass");
}

TEST_F(RuleFactsTest, ARuleForAControlGroupAsksForTheSockets) {
  Expect("clean", "iptables -A OUTPUT -m cgroup --cgroup 77 -j DROP");
  Expect("fin_dropped", "iptables -A OUTPUT -m cgroup ! --cgroup 77 -j DROP");
  Expect("fin_dropped", "iptables -A OUTPUT -m cgroup --path / -j DROP");
}

TEST_F(RuleFactsTest, ACountOfConnectionsFarFromItsLimitIsKnown) {
  Expect("clean", "iptables -A INPUT -p tcp -m connlimit --connlimit-above 1000 -j DROP");
  Expect("ack_dropped", "iptables -A INPUT -p tcp -m connlimit --connlimit-upto 1000 -j DROP");
  Expect("clean", OutputRules("ct count over 1000 drop"));
}

TEST_F(RuleFactsTest, SocketsWithoutEntriesCountWhereTheyCloseAtOneTime) {
  std::vector<UniqueFd> clients(9);
  std::generate(clients.begin(), clients.end(), [&] { return Connect(); });
  wire_.local.Shell("iptables -A INPUT -p tcp -m connlimit --connlimit-above 12 -j DROP; conntrack -F 2>/dev/null");
  EXPECT_EQ(Explained(clients.front()).substr(0, 8), "unknown ") << Explained(clients.front());
}

TEST_F(RuleFactsTest, AListOfRecentAddressesIsRead) {
  const std::string rule = "iptables -A INPUT -m recent --name bad --rcheck -j DROP";
  Expect("clean", rule);
  UniqueFd client = Connect();
  wire_.local.Shell(rule + std::string("; echo +") + Wire::kPeer4 + " > /proc/net/xt_recent/bad");
  wire_.local.Shell("conntrack -F 2>/dev/null");
  EXPECT_EQ(Explained(client).substr(0, 11), "ack_dropped") << Explained(client);
  EXPECT_EQ(Closes(std::move(client)), "ack_dropped");
}

TEST_F(RuleFactsTest, AListOfRecentAddressesHasTheMaskOfItsFirstRule) {
  UniqueFd client = Connect();
  wire_.local.Shell(
      "iptables -A OUTPUT -m recent --name n --set --rdest --mask 255.255.255.0;"
      "iptables -A OUTPUT -m recent --name n --rcheck --rdest -j DROP; conntrack -F 2>/dev/null");
  EXPECT_EQ(Explained(client).substr(0, 8), "unknown ") << Explained(client);
  EXPECT_EQ(Closes(std::move(client)), "fin_dropped") << "by the first one's mask, which the second one does not have";
}

TEST_F(RuleFactsTest, TheEthernetAddressOfANeighbourIsKnown) {
  const std::string peers = Wire::kPeerMac;
  const std::string others = "02:00:00:00:00:77";
  Expect("ack_dropped", "iptables -A INPUT -p tcp -m mac --mac-source " + peers + " -j DROP");
  Expect("clean", "iptables -A INPUT -p tcp -m mac --mac-source " + others + " -j DROP");
  Expect("ack_dropped", "iptables -A INPUT -p tcp -m mac ! --mac-source " + others + " -j DROP");
  const auto input = [](const std::string& rule) {
    return Nft("table inet f { chain i { type filter hook input priority 0; tcp sport 80 " + rule + "; }; }");
  };
  Expect("ack_dropped", input("ether saddr " + peers + " drop"));
  Expect("clean", input("ether saddr { " + others + " } drop"));
}

TEST_F(RuleFactsTest, WhatAnIpsetCountsIsKnownFarFromALimit) {
  const std::string set =
      std::string("ipset destroy s 2>/dev/null || true; ipset create s hash:ip counters; ipset add s ") + Wire::kPeer4 +
      " packets 50 bytes 5000; iptables -A INPUT -m set --match-set s src ";
  Expect("ack_dropped", set + "--packets-gt 10 -j DROP");
  Expect("clean", set + "--packets-gt 100000 -j DROP");
  Expect("clean", set + "--bytes-lt 100 -j DROP");
  Expect("ack_dropped", set + "! --packets-eq 7 -j DROP");
}

TEST_F(RuleFactsTest, AnIpsetMayHoldEthernetAddresses) {
  const auto input = [](const std::string& type, const std::string& element) {
    return "ipset destroy s 2>/dev/null || true; ipset create s " + type + "; ipset add s " + element +
           "; iptables -A INPUT -m set --match-set s src,src -m conntrack --ctstate NEW,INVALID -j DROP";
  };
  const std::string peer = Wire::kPeer4;
  const std::string mac = Wire::kPeerMac;
  Expect("ack_dropped", input("bitmap:ip,mac range 192.0.2.0/24", peer));
  Expect("ack_dropped", input("bitmap:ip,mac range 192.0.2.0/24", peer + "," + mac));
  Expect("clean", input("bitmap:ip,mac range 192.0.2.0/24", peer + ",02:00:00:00:00:77"));
}

TEST_F(RuleFactsTest, WhatARuleChangesInAnIpsetIsKnownToTheNext) {
  const std::string set = "ipset destroy s 2>/dev/null || true; ipset create s hash:ip; ";
  const std::string full =
      "ipset destroy s 2>/dev/null || true; ipset create s hash:ip; ipset add s " + std::string(Wire::kPeer4) + "; ";
  const std::string dropped = "iptables -A INPUT -p tcp -m set --match-set s src -j DROP";
  Expect("ack_dropped", set + "iptables -A OUTPUT -p tcp -j SET --add-set s dst; " + dropped);
  // The FIN of a peer that closes first is INVALID, and finds the set as it was.
  Expect("clean", full +
                      "iptables -A OUTPUT -p tcp -j SET --del-set s dst; iptables -A INPUT -p tcp -m conntrack "
                      "--ctstate NEW -m set --match-set s src -j DROP");
  Expect("clean", set + "iptables -A INPUT -p tcp -j SET --del-set s src; " + dropped);
}

TEST_F(RuleFactsTest, WhatARuleChangesInASetIsKnownToTheNext) {
  const std::string set =
      std::string("set s { type ipv4_addr; flags dynamic; size 100; elements = { ") + Wire::kPeer4 + " }; };";
  const auto input = [](const std::string& sets, const std::string& rules) {
    return Nft("table inet f { " + sets + " chain i { type filter hook input priority 0; tcp sport 80 " + rules +
               " }; }");
  };
  Expect("clean", input(set, "delete @s { ip saddr }; ip saddr @s drop;"));
  Expect("ack_dropped",
         input("set s { type ipv4_addr; flags dynamic; size 100; };", "add @s { ip saddr }; ip saddr @s drop;"));
  Expect("clean", input("set s { type ipv4_addr; flags dynamic; size 100; };", "ip saddr @s drop;"));
  // A full set takes no more, and the rule does not match.
  Expect("clean", input("set s { type ipv4_addr; flags dynamic; size 1; elements = { 203.0.113.1 }; };",
                        "add @s { ip saddr } drop;"));
}

}  // namespace
}  // namespace finwait::e2e
