#include <gtest/gtest.h>

#include "collectors/sources/conntrack_events.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::sources {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Namespace;

struct Network {
  const char* name;
  const char* iptables;
  const char* length;
  const char* client;
  const char* towards_client;
  const char* towards_server;
  const char* server;
};
constexpr Network kNetwork4 = {"ipv4", "iptables", "/24", "192.0.2.2", "192.0.2.1", "198.51.100.1", "198.51.100.2"};
constexpr Network kNetwork6 = {"ipv6",          "ip6tables",     "/64",          "2001:db8:1::2",
                               "2001:db8:1::1", "2001:db8:2::1", "2001:db8:2::2"};

// A client and a server in namespaces of their own, and between them the gateway, which is the host under test.
class ForwardedTest : public testing::TestWithParam<Network> {
 protected:
  static const Network& Net() { return GetParam(); }
  static std::string Iptables() { return Net().iptables; }

  ForwardedTest() {
    Join(client_, Net().client, "towards_client", Net().towards_client);
    Join(server_, Net().server, "towards_server", Net().towards_server);
    gateway_.Sysctl("net.ipv4.ip_forward", "1");
    gateway_.Sysctl("net.ipv6.conf.all.forwarding", "1");
    client_.Shell(std::string("ip route add default via ") + Net().towards_client);
    server_.Shell(std::string("ip route add default via ") + Net().towards_server);
    gateway_.Shell(Iptables() + " -A FORWARD -m conntrack --ctstate INVALID -j ACCEPT");
    gateway_.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "1");
    gateway_.Run([&] { collector_ = std::make_unique<ConntrackEventsCollector>(lab::HostHere()); });
    Collect();
  }

  kernel::ExpiryCounts Collect() {
    Result<Collected> collected;
    gateway_.Run([&] { collected = collector_->Collect(Deadline::After(std::chrono::seconds(5))); });
    if (!collected) {
      throw std::runtime_error(collected.error().message);
    }
    return dynamic_cast<const ConntrackEventsSample&>(*collected->data).counts;
  }
  // Waits until one entry has expired and tells whose it was.
  kernel::ExpiryScope ScopeOfTheNextExpiry() {
    const auto before = Collect().expired[0];
    auto now = before;
    EXPECT_TRUE(Eventually([&] {
      gateway_.Shell("conntrack -L >/dev/null 2>&1");
      now = Collect().expired[0];
      return now != before;
    }));
    EXPECT_EQ(now[0] + now[1], before[0] + before[1] + 1);
    return now[0] > before[0] ? kernel::ExpiryScope::kLocal : kernel::ExpiryScope::kForwarded;
  }

  Namespace client_;
  Namespace gateway_;
  Namespace server_;
  std::unique_ptr<ConntrackEventsCollector> collector_;

 private:
  void Join(const Namespace& side, const std::string& address, const std::string& device, const std::string& gateway) {
    gateway_.Shell("ip link add " + device + " type veth peer name veth0 netns " + side.Path());
    SetUpDevice(side, "veth0", address);
    SetUpDevice(gateway_, device, gateway);
    // The kernel tells the IPv6 stack of a new link up to a second late; until then it loses what is sent.
    gateway_.Shell("for i in $(seq 100); do ip -o link show " + device +
                   " | grep -q 'state UP' && exit; sleep 0.05; done; exit 1");
  }
  void SetUpDevice(const Namespace& where, const std::string& device, const std::string& address) {
    where.Sysctl("net.ipv6.conf." + device + ".accept_dad", "0");
    where.Shell("ip link set " + device + " up; ip address add " + address + Net().length + " dev " + device +
                (address.find(':') == std::string::npos ? "" : " nodad"));
  }
};

TEST_P(ForwardedTest, AConnectionBetweenTwoOthersIsForwarded) {
  const Listener listener(server_, Net().server, 80);
  const UniqueFd open = Connect(client_, Net().server, 80);
  EXPECT_EQ(ScopeOfTheNextExpiry(), kernel::ExpiryScope::kForwarded);
}

TEST_P(ForwardedTest, AMasqueradedConnectionIsForwardedUnderThisHostsAddress) {
  gateway_.Shell(Iptables() + " -t nat -A POSTROUTING -o towards_server -j MASQUERADE");
  const Listener listener(server_, Net().server, 80);
  const UniqueFd open = Connect(client_, Net().server, 80);
  const UniqueFd accepted = listener.Accept();
  ASSERT_NE(lab::PeerEndpoint(accepted).find(Net().towards_server), std::string::npos);
  EXPECT_EQ(ScopeOfTheNextExpiry(), kernel::ExpiryScope::kForwarded);
}

TEST_P(ForwardedTest, AConnectionToAPublishedPortIsForwarded) {
  const std::string server = Net().server;
  gateway_.Shell(Iptables() + " -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination " +
                 (server.find(':') == std::string::npos ? server : "[" + server + "]") + ":80");
  const Listener listener(server_, Net().server, 80);
  const UniqueFd open = Connect(client_, Net().towards_client, 8080);
  EXPECT_EQ(ScopeOfTheNextExpiry(), kernel::ExpiryScope::kForwarded);
}

TEST_P(ForwardedTest, TheGatewaysOwnConnectionsAreLocal) {
  const Listener listener(server_, Net().server, 80);
  const UniqueFd out = Connect(gateway_, Net().server, 80);
  EXPECT_EQ(ScopeOfTheNextExpiry(), kernel::ExpiryScope::kLocal);
  const Listener own(gateway_, Net().towards_client, 81);
  const UniqueFd in = Connect(client_, Net().towards_client, 81);
  EXPECT_EQ(ScopeOfTheNextExpiry(), kernel::ExpiryScope::kLocal);
}

TEST_P(ForwardedTest, AConnectionRedirectedToThisHostIsLocal) {
  gateway_.Shell(Iptables() + " -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 81");
  const Listener own(gateway_, Net().towards_client, 81);
  const UniqueFd open = Connect(client_, Net().server, 80);
  EXPECT_EQ(ScopeOfTheNextExpiry(), kernel::ExpiryScope::kLocal);
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, ForwardedTest, testing::Values(kNetwork4, kNetwork6),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace finwait::sources
