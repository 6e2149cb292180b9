// Marks, bound devices, ports and users decide where a packet goes and which rule it meets. Each case says what the
// kernel does to the FIN, and `explain`, `check` and the service are asked: they agree with it and with each other.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

constexpr const char* kFarAddress = "203.0.113.9";

// This host and its peer, joined by two wires: veth0 and second0. kFarAddress is the peer's, and both lead there;
// 203.0.113.1 is this host's, and the peer answers to it over veth0.
class SocketFactsTest : public testing::Test {
 protected:
  SocketFactsTest() {
    wire_.local.Shell("ip link add second0 type veth peer name second1; ip link set second1 netns " +
                      wire_.peer.Path());
    wire_.local.Shell(
        "ip addr add 198.51.100.1/24 dev second0; ip link set second0 up; ip addr add 203.0.113.1/32 dev lo");
    wire_.peer.Shell(
        "ip addr add 198.51.100.2/24 dev second1; ip link set second1 up; ip addr add 203.0.113.9/32 dev lo;"
        "ip route add 203.0.113.1 via 192.0.2.1");
    for (const lab::Namespace* host : {&wire_.local, &wire_.peer}) {
      host->Shell("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
    }
    wire_.local.Shell("ip route add 203.0.113.9 via 192.0.2.2 src 203.0.113.1");
    listener_ = std::make_unique<lab::Listener>(wire_.peer, kFarAddress, 80);
  }

  // A connection to the far address; `prepare` is done to the socket before it connects.
  UniqueFd Connect(const std::function<void(int)>& prepare = {}) {
    UniqueFd client;
    wire_.local.Run([&] {
      client = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (prepare) {
        prepare(client.Get());
      }
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(80);
      ::inet_pton(AF_INET, kFarAddress, &address.sin_addr);
      ASSERT_EQ(::connect(client.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    });
    servers_.push_back(listener_->Accept());
    return client;
  }

  void LoseEntries() const { wire_.local.Shell("conntrack -F 2>/dev/null"); }

  std::string Explained(const UniqueFd& client) const {
    const auto output = wire_.local.Command(
        {lab::Program(), "explain", lab::LocalEndpoint(client), lab::PeerEndpoint(client), "--format=json"});
    return nlohmann::json::parse(output.out).value("fate", "");
  }

  // The fates of live sockets without an entry, as `check` counts those at risk.
  std::string Checked() const {
    const auto json = nlohmann::json::parse(wire_.local.Command(lab::CheckCommand({"--format=json"})).out);
    return FateIn([&](const std::string& fate) {
      const auto& counts = json["live"]["at_risk"];
      return counts.contains(fate) ? counts[fate].get<double>() : 0;
    });
  }

  static std::string Served(const Program& program) {
    const auto series = program.Scrape();
    return FateIn([&](const std::string& fate) {
      double sum = 0;
      for (const auto& [name, value] : series) {
        if (name.starts_with("finwait_tcp_at_risk_sockets{") && name.find("\"" + fate + "\"") != std::string::npos) {
          sum += value;
        }
      }
      return sum;
    });
  }

  // Closes the socket; whether its FIN was dropped here, as the kernel shows it.
  bool Sticks(UniqueFd& client) const {
    const std::string port = std::to_string(Endpoint::Parse(lab::LocalEndpoint(client))->port);
    client.Reset();
    const auto waits = [&] {
      return wire_.local.Shell("ss -Htano state fin-wait-1 sport = :" + port).find("persist") != std::string::npos;
    };
    const auto passed = [&] { return wire_.local.Shell("ss -Htan state fin-wait-2 sport = :" + port) != ""; };
    EXPECT_TRUE(lab::Eventually([&] { return waits() || passed(); }));
    return waits();
  }

  // All three say `fate` of the one connection, and the kernel does it.
  void ExpectAll(const std::string& fate, UniqueFd client) {
    LoseEntries();
    EXPECT_EQ(Explained(client), fate);
    EXPECT_EQ(Checked(), fate);
    {
      Program program(wire_.local);
      EXPECT_TRUE(lab::Eventually([&] { return Served(program) == fate; })) << Served(program);
    }
    LoseEntries();
    EXPECT_EQ(Sticks(client), fate == "fin_dropped");
  }

  lab::Wire wire_;
  std::unique_ptr<lab::Listener> listener_;
  std::vector<UniqueFd> servers_;

 private:
  template <typename CountOf>
  static std::string FateIn(CountOf count_of) {
    for (const char* fate : {"fin_dropped", "ack_dropped", "nat_lost", "peer_fin_dropped", "unknown"}) {
      if (count_of(fate) > 0) {
        return fate;
      }
    }
    return "clean";
  }
};

constexpr const char* kDropOnSecond = "iptables -A OUTPUT -o second0 -m conntrack --ctstate INVALID -j DROP";
constexpr const char* kDropOnFirst = "iptables -A OUTPUT -o veth0 -m conntrack --ctstate INVALID -j DROP";

void Mark(int socket, int mark) { EXPECT_EQ(::setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0); }
void Bind(int socket, const std::string& device) {
  EXPECT_EQ(::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), static_cast<socklen_t>(device.size())),
            0);
}

TEST_F(SocketFactsTest, AMarkedSocketIsRoutedByItsMark) {
  wire_.local.Shell("ip route add 203.0.113.9 via 198.51.100.2 table 100; ip rule add fwmark 1 lookup 100");
  wire_.local.Shell(kDropOnSecond);
  ExpectAll("fin_dropped", Connect([](int socket) { Mark(socket, 1); }));
  ExpectAll("clean", Connect());
}

TEST_F(SocketFactsTest, ABoundSocketLeavesThroughItsDevice) {
  wire_.local.Shell("ip route add 203.0.113.9 via 198.51.100.2 metric 20");
  wire_.local.Shell(kDropOnSecond);
  ExpectAll("fin_dropped", Connect([](int socket) { Bind(socket, "second0"); }));
  ExpectAll("clean", Connect());
}

TEST_F(SocketFactsTest, PortsAndUsersThatRoutingRulesAskForCount) {
  wire_.local.Shell("ip route add 203.0.113.9 via 198.51.100.2 table 100; ip rule add ipproto tcp dport 80 lookup 100");
  wire_.local.Shell(kDropOnFirst);
  ExpectAll("clean", Connect());
  wire_.local.Shell("ip rule del ipproto tcp dport 80 lookup 100; ip rule add uidrange 0-0 lookup 100");
  ExpectAll("clean", Connect());
}

TEST_F(SocketFactsTest, WhichUplinkThePortsChooseIsUnknownAndNeverWrong) {
  wire_.local.Sysctl("net.ipv4.fib_multipath_hash_policy", "1");
  wire_.local.Shell("ip route replace 203.0.113.9 src 203.0.113.1 nexthop via 192.0.2.2 nexthop via 198.51.100.2");
  wire_.local.Shell(kDropOnSecond);
  for (int i = 0; i < 4; ++i) {
    UniqueFd client = Connect();
    LoseEntries();
    EXPECT_EQ(Explained(client), "unknown");
  }
}

TEST_F(SocketFactsTest, BetweenTwoAddressesOfThisHostAFinComesInAgain) {
  wire_.local.Shell("ip address add 192.0.2.9/32 dev veth0");
  const lab::Listener own(wire_.local, "192.0.2.9", 80);
  UniqueFd client = lab::Connect(wire_.local, "192.0.2.9", 80);
  const UniqueFd server = own.Accept();
  wire_.local.Shell(
      "iptables -A INPUT -s 127.0.0.0/8 -j ACCEPT; iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT;"
      "iptables -P INPUT DROP");
  LoseEntries();
  EXPECT_EQ(Explained(client), "fin_dropped");
  EXPECT_EQ(Checked(), "fin_dropped");
  {
    Program program(wire_.local);
    EXPECT_TRUE(lab::Eventually([&] { return Served(program) == "fin_dropped"; })) << Served(program);
  }
  client.Reset();
  EXPECT_TRUE(lab::Eventually([&] { return wire_.local.Shell("ss -Htano state fin-wait-1 | grep 'on,'") != ""; }));
  EXPECT_NE(wire_.local.Shell("ss -Htan state established sport = :80"), "") << "the other end never hears of it";
}

TEST_F(SocketFactsTest, AMarkThatARuleSetsRoutesThePacketAgain) {
  wire_.local.Shell("ip rule add fwmark 7 lookup 100; ip route add 203.0.113.9 via 192.0.2.2 table 100");
  wire_.local.Shell("iptables -t mangle -A OUTPUT -j MARK --set-mark 7");
  wire_.local.Shell("iptables -t mangle -A POSTROUTING -o tun+ -m conntrack --ctstate INVALID -j DROP");
  ExpectAll("clean", Connect());
  wire_.local.Shell("ip route replace 203.0.113.9 via 198.51.100.2 table 100");
  wire_.local.Shell("iptables -t mangle -A POSTROUTING -o second0 -m conntrack --ctstate INVALID -j DROP");
  ExpectAll("fin_dropped", Connect());
}

TEST_F(SocketFactsTest, KubeFirewallDropsAMarkThatNoSocketHas) {
  wire_.local.Shell(
      "iptables -N KUBE-FIREWALL; iptables -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP;"
      "iptables -A OUTPUT -j KUBE-FIREWALL; iptables -A INPUT -j KUBE-FIREWALL;"
      "iptables -A INPUT -m state --state ESTABLISHED -j ACCEPT");
  ExpectAll("clean", Connect());
  UniqueFd marked = Connect();
  Mark(marked.Get(), 0x8000);
  ExpectAll("fin_dropped", std::move(marked));
}

TEST_F(SocketFactsTest, AFateDoesNotOutliveTheRouteThatItHungOn) {
  wire_.local.Shell(kDropOnSecond);
  UniqueFd client = Connect();
  LoseEntries();
  Program program(wire_.local);
  ASSERT_TRUE(lab::Eventually([&] { return program.Scrape().contains("finwait_risk_stage{stage=\"none\"}"); }));
  EXPECT_EQ(Served(program), "clean");
  wire_.local.Shell("ip route replace 203.0.113.9 via 198.51.100.2 src 203.0.113.1");
  EXPECT_TRUE(lab::Eventually([&] { return Served(program) == "fin_dropped"; }, 20)) << Served(program);
  EXPECT_EQ(Explained(client), "fin_dropped");
  wire_.local.Shell("ip route replace 203.0.113.9 via 192.0.2.2 src 203.0.113.1");
  EXPECT_TRUE(lab::Eventually([&] { return Served(program) == "clean"; }, 20)) << Served(program);
}

// Answers come in over the second wire; the rules accept what is established from anywhere, the rest from the first.
TEST_F(SocketFactsTest, AnswersOverAnotherDeviceAreUnknownUnlessForbidden) {
  wire_.peer.Shell("ip route replace 203.0.113.1 via 198.51.100.1");
  wire_.local.Shell(
      "iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
      "iptables -A INPUT -i veth0 -j ACCEPT; iptables -P INPUT DROP");
  UniqueFd client = Connect();
  LoseEntries();
  EXPECT_EQ(Explained(client), "unknown");
  EXPECT_EQ(Checked(), "unknown");
  client.Reset();
  EXPECT_TRUE(lab::Eventually([&] { return wire_.local.Shell("ss -Htano state fin-wait-1 | grep 'on,'") != ""; }))
      << "the answer is dropped";
  wire_.peer.Shell("ip route replace 203.0.113.1 via 192.0.2.1");
  wire_.local.Sysctl("net.ipv4.conf.second0.rp_filter", "1");
  ExpectAll("clean", Connect());
}

// Either end closes by a DATA_FIN in a bare ACK, which makes an entry: the peer reads to the end, whatever is INVALID.
TEST_F(SocketFactsTest, AMultipathConnectionClosesByABareAck) {
  const lab::Listener listener(wire_.peer, "0.0.0.0", 81, IPPROTO_MPTCP);
  UniqueFd client = lab::Connect(wire_.local, kFarAddress, 81, "", IPPROTO_MPTCP);
  const UniqueFd server = listener.Accept();
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  LoseEntries();
  EXPECT_EQ(Explained(client), "clean");
  EXPECT_EQ(Checked(), "clean");
  wire_.local.Shell("iptables -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP");
  LoseEntries();
  EXPECT_EQ(Explained(client), "peer_fin_dropped");
  {
    Program program(wire_.local);
    EXPECT_TRUE(lab::Eventually([&] { return Served(program) == "peer_fin_dropped"; })) << Served(program);
  }
  LoseEntries();
  client.Reset();
  const timeval patience = {.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(server.Get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char byte = 0;
  EXPECT_EQ(::recv(server.Get(), &byte, 1, 0), 0) << "the end, which the DATA_FIN tells";
}

}  // namespace
}  // namespace finwait::e2e
