// VRFs: rules see what a VRF's port sends twice, first as the VRF's and untracked, then as the port's; and what comes
// in as the port's at first and then as the VRF's. Each case says what the kernel does to a close, and `explain` and
// `check` agree with it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "tests/e2e/scene.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using lab::Wire;

constexpr std::uint16_t kVrfPort = 80;

struct Case {
  std::string name;
  bool ipv6;
  std::string bound;  ///< the device that the socket is bound to
  /// With "$T" for iptables or ip6tables, once the connection is there.
  std::string rules;
  std::string fate;
  bool within = false;  ///< the peer is this host itself, in the same VRF
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

constexpr const char* kInvalid = " -m conntrack --ctstate INVALID -j DROP;";

std::vector<Case> VrfCases() {
  const std::string drop = kInvalid;
  const std::string all_but = "$T -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; $T -P INPUT DROP;";
  const std::string strict = "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0;";
  std::vector<Case> cases;
  for (const bool ipv6 : {false, true}) {
    const std::string family = ipv6 ? "Ipv6" : "Ipv4";
    const auto add = [&](const std::string& name, const std::string& bound, const std::string& rules,
                         const std::string& fate, bool within = false) {
      cases.push_back({name + family, ipv6, bound, rules, fate, within});
    };
    for (const std::string bound : {"blue", "veth0"}) {
      const std::string by = bound == "blue" ? "OfTheVrf" : "OfThePort";
      add("OutputByThePort" + by, bound, "$T -A OUTPUT -o veth0" + drop, "fin_dropped");
      add("OutputByTheVrfIsUntracked" + by, bound, "$T -A OUTPUT -o blue" + drop, "clean");
      add("InputAcceptsThePort" + by, bound, "$T -A INPUT -i veth0 -j ACCEPT;" + all_but, "ack_dropped");
      add("InputAcceptsTheVrf" + by, bound, "$T -A INPUT -i blue -j ACCEPT;" + all_but, "clean");
    }
    add("UntrackedAtTheVrfsOutput", "blue", "$T -A OUTPUT -o blue -m conntrack --ctstate UNTRACKED -j DROP",
        "fin_dropped");
    add("PostroutingOfThePort", "blue", "$T -t mangle -A POSTROUTING -o veth0" + drop, "fin_dropped");
    add("PostroutingOfTheVrf", "blue", "$T -t mangle -A POSTROUTING -o blue" + drop, "clean");
    add("PreroutingOfThePort", "blue", strict + "$T -t mangle -A PREROUTING -i veth0" + drop, "ack_dropped");
    add("PreroutingOfTheVrf", "blue", strict + "$T -t mangle -A PREROUTING -i blue" + drop, "ack_dropped");
    add("WithinTheVrfByTheVrf", "blue", "$T -A INPUT -i lo -j ACCEPT; $T -A INPUT" + drop, "fin_dropped", true);
    add("WithinTheVrfWhateverTheDevice", "blue", "$T -A INPUT" + drop, "fin_dropped", true);
    add("WithinTheVrfItsLoopbackIsAccepted", "blue", "$T -A INPUT -i blue -j ACCEPT; $T -A INPUT" + drop, "clean",
        true);
  }
  return cases;
}

class VrfTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto made = scene_.Local().Command({"ip", "link", "add", "blue", "type", "vrf", "table", "10"});
    if (made.exit_code != 0) {
      GTEST_SKIP() << "this kernel has no VRF (CONFIG_NET_VRF): " << made.err;
    }
    // A port is taken down when it joins, and what it knew of its neighbours and of IPv6 goes.
    scene_.Local().Shell(std::string("ip link set blue up; ip link set veth0 master blue;") + "ip address replace " +
                         Wire::kLocal6 + "/32 dev veth0 nodad; ip neighbour replace " + Wire::kPeer4 + " lladdr " +
                         Wire::kPeerMac + " dev veth0; ip neighbour replace " + Wire::kPeer6 + " lladdr " +
                         Wire::kPeerMac + " dev veth0");
  }

  UniqueFd Bound() const {
    UniqueFd socket(::socket(GetParam().ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const std::string& device = GetParam().bound;
    EXPECT_EQ(
        ::setsockopt(socket.Get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), static_cast<socklen_t>(device.size())),
        0);
    return socket;
  }
  // `call`: bind or connect.
  template <typename Call>
  void WithAddress(Call call, const UniqueFd& socket, const std::string& text) const {
    if (GetParam().ipv6) {
      sockaddr_in6 address = {};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(kVrfPort);
      ::inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
      ASSERT_EQ(call(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << errno;
    } else {
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(kVrfPort);
      ::inet_pton(AF_INET, text.c_str(), &address.sin_addr);
      ASSERT_EQ(call(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << errno;
    }
  }

  void Open() {
    if (GetParam().within) {
      const std::string own = GetParam().ipv6 ? Wire::kLocal6 : Wire::kLocal4;
      scene_.Local().Run([&] {
        const UniqueFd listener = Bound();
        WithAddress(::bind, listener, own);
        ASSERT_EQ(::listen(listener.Get(), 1), 0);
        client_ = Bound();
        WithAddress(::connect, client_, own);
        server_ = UniqueFd(::accept4(listener.Get(), nullptr, nullptr, SOCK_CLOEXEC));
      });
      return;
    }
    const std::string peer = GetParam().ipv6 ? Wire::kPeer6 : Wire::kPeer4;
    const lab::Listener listener(scene_.Peer(), peer, kVrfPort);
    scene_.Local().Run([&] {
      client_ = Bound();
      WithAddress(::connect, client_, peer);
    });
    server_ = listener.Accept();
  }

  nlohmann::json Explained() const {
    const auto output = scene_.Local().Command(
        {lab::Program(), "explain", lab::LocalEndpoint(client_), lab::PeerEndpoint(client_), "--format=json"});
    const auto json = nlohmann::json::parse(output.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << output.out << output.err;
    return json;
  }

  Scene scene_;
  UniqueFd client_;
  UniqueFd server_;
};

TEST_P(VrfTest, WhatIsForetoldIsWhatTheKernelDoes) {
  scene_.Local().Shell("nft 'table inet tracks { chain o { type filter hook output priority 0; ct state new; }; }'");
  Open();
  std::string rules = GetParam().rules;
  for (std::size_t at = rules.find("$T"); at != std::string::npos; at = rules.find("$T")) {
    rules.replace(at, 2, GetParam().ipv6 ? "ip6tables" : "iptables");
  }
  scene_.Local().Shell(rules);
  scene_.LoseEntries();
  const auto explained = Explained();
  EXPECT_EQ(explained["fate"], GetParam().fate) << explained;
  const auto at_risk = scene_.Check()["live"]["at_risk"];
  for (const char* fate : {"fin_dropped", "ack_dropped", "nat_lost", "unknown"}) {
    // Within the host either end may close, and both are counted.
    const int ends = GetParam().within ? 2 : 1;
    EXPECT_EQ(at_risk.value(fate, -1.0), fate == GetParam().fate ? ends : 0) << fate;
  }
  client_.Reset();
  if (GetParam().fate == "clean") {
    EXPECT_TRUE(Eventually([&] { return scene_.Local().Shell("ss -Htan state fin-wait-2") != ""; }))
        << scene_.Local().Shell("ss -Htano");
  } else {
    EXPECT_TRUE(scene_.StaysStuck()) << scene_.Local().Shell("ss -Htano");
  }
}

INSTANTIATE_TEST_SUITE_P(Each, VrfTest, testing::ValuesIn(VrfCases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace finwait::e2e
