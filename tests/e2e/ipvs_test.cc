// IPVS sends packets on by a table of its own, past what rules and routing say: whatever it carries is unknown with its
// name, and nothing else is.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/e2e/scene.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

constexpr const char* kService = "203.0.113.10";  // an address of this host's, and no socket listens to it
constexpr std::uint16_t kServicePort = 80;

class IpvsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto asked = scene_.Local().Command({"sh", "-c", "command -v ipvsadm && ipvsadm --list"});
    if (asked.exit_code != 0) {
      GTEST_SKIP() << "this kernel has no IPVS (CONFIG_IP_VS), or there is no ipvsadm: " << asked.out << asked.err;
    }
    scene_.Local().Shell(
        "ip address add 203.0.113.10/32 dev lo; sysctl -qw net.ipv4.vs.conntrack=1;"
        "ipvsadm --add-service --tcp-service 203.0.113.10:80 --scheduler rr;"
        "ipvsadm --add-server --tcp-service 203.0.113.10:80 --real-server 192.0.2.2:80 --masquerading;"
        "iptables -A OUTPUT -o lo -j ACCEPT; iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  }

  // From this host to the service, which its peer answers.
  Ends OpenToService() const {
    const lab::Listener listener(scene_.Peer(), lab::Wire::kPeer4, kServicePort);
    Ends ends;
    ends.local = lab::Connect(scene_.Local(), kService, kServicePort, lab::Wire::kLocal4);
    ends.peer = listener.Accept();
    return ends;
  }
  nlohmann::json Explained(const std::string& local, const std::string& peer) const {
    const auto output = scene_.Local().Command({lab::Program(), "explain", local, peer, "--format=json"});
    const auto json = nlohmann::json::parse(output.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << output.out << output.err;
    return json;
  }
  void ExpectUnknown(const nlohmann::json& explained) const {
    EXPECT_EQ(explained["fate"], "unknown") << explained;
    EXPECT_NE(
        explained.value("reason", "").find("IPVS (ip_vs), which carries what goes to and comes from 203.0.113.10"),
        std::string::npos)
        << explained;
  }
  double AtRisk(const char* fate) const { return scene_.Check()["live"]["at_risk"].value(fate, -1.0); }

  Scene scene_;
};

// By its address the service is this host itself, and rules accept what goes over loopback; but it is the peer that
// answers, and the FIN is dropped on its way there.
TEST_F(IpvsTest, WhatItCarriesIsUnknownWithItsNameAndNotClean) {
  Ends ends = OpenToService();
  const std::string local = lab::LocalEndpoint(ends.local);
  const std::string peer = lab::PeerEndpoint(ends.local);
  EXPECT_EQ(scene_.Check()["verdict"]["stage"], "latent") << "its entry is there";
  scene_.LoseEntries();
  ExpectUnknown(Explained(local, peer));
  EXPECT_EQ(AtRisk("unknown"), 1);
  EXPECT_EQ(AtRisk("fin_dropped"), 0);
  ends.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck()) << scene_.Local().Shell("ss -Htano; iptables -nvL OUTPUT; ipvsadm -lnc");
}

TEST_F(IpvsTest, WhatClientsElsewhereSendThroughItIsUnknown) {
  ExpectUnknown(Explained("203.0.113.10:80", "192.0.2.2:40000"));
}

TEST_F(IpvsTest, OtherConnectionsAreForetoldAsEver) {
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  EXPECT_EQ(Explained(lab::LocalEndpoint(ends.local), lab::PeerEndpoint(ends.local))["fate"], "fin_dropped");
  EXPECT_EQ(AtRisk("fin_dropped"), 1);
  EXPECT_EQ(AtRisk("unknown"), 0);
  ends.local.Reset();
  EXPECT_TRUE(scene_.StaysStuck());
}

}  // namespace
}  // namespace finwait::e2e
