#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/kernel/exporter/diagnosis/forwarding_scene.h"

// A flowtable passes established connections on past the host's rules: what it does to a close, with the entry and
// without.
namespace finwait::diagnosis {
namespace {

using firewall::eval::PacketKind;

class FlowtableTest : public testing::TestWithParam<SceneOptions> {
 protected:
  void SetUp() override {
    scene_ = std::make_unique<ForwardingScene>(GetParam());
    const auto made = scene_->Host().Command({"nft",
                                              "add table inet fw; add flowtable inet fw fast { hook ingress "
                                              "priority -10; devices = { up0, " +
                                                  Near() + " }; }"});
    if (made.exit_code != 0) {
      GTEST_SKIP() << "this kernel has no flowtables (CONFIG_NF_FLOW_TABLE): " << made.err;
    }
  }

  // The host's device that the pod is behind: of a bridge its port.
  static std::string Near() { return "cali0"; }

  // Rules that hand connections over and drop what has no entry.
  void Load(const std::string& more = "") const {
    scene_->Host().Shell(
        "nft 'add chain inet fw forward { type filter hook forward priority 0; }; "
        "add rule inet fw forward ip protocol tcp flow add @fast counter; "
        "add rule inet fw forward ip6 nexthdr tcp flow add @fast counter; "
        "add rule inet fw forward ct state invalid counter drop" +
        more + "'");
  }

  // With data sent each way, until the entry is in the flowtable.
  OpenConnection OpenOffloaded() const {
    OpenConnection connection = scene_->PodToPeer();
    EXPECT_TRUE(ForwardingScene::Do(Act::kSend, connection).at(PacketKind::kData));
    EXPECT_TRUE(lab::Eventually([&] { return IsOffloaded(); }, 5)) << scene_->Host().Shell("conntrack -L 2>&1");
    // An ACK that comes late would make a new entry, and let the FIN pass by that.
    EXPECT_TRUE(lab::Eventually(
        [&] {
          int unacknowledged = 1;
          return ::ioctl(connection.pod.Get(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
        },
        5));
    return connection;
  }
  bool IsOffloaded() const {
    return scene_->Host().Shell("conntrack -L -f " + std::string(Four() ? "ipv4" : "ipv6") + " 2>&1").find("OFFLOAD") !=
           std::string::npos;
  }
  static bool IsClosed(const UniqueFd& socket) {
    tcp_info info = {};
    socklen_t length = sizeof info;
    return ::getsockopt(socket.Get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE;
  }
  bool Four() const { return GetParam().family == IpFamily::kIpv4; }

  std::vector<firewall::FlowtableInTable> Met(const OpenConnection& connection) const {
    std::vector<firewall::FlowtableInTable> met;
    const ForwardedConnection forwarded = scene_->Describe(connection);
    scene_->Evaluate(
        [&](CloseEvaluator& evaluator) { met = FlowtablesOnTheWay(evaluator, forwarded, connection.Seen()); });
    return met;
  }

  std::unique_ptr<ForwardingScene> scene_;
};

TEST_P(FlowtableTest, OneOnTheWayIsNamedOnceARuleUsesIt) {
  OpenConnection connection = scene_->PodToPeer();
  EXPECT_TRUE(Met(connection).empty()) << "no rule hands anything over";
  Load();
  const auto met = Met(connection);
  ASSERT_EQ(met.size(), 1U);
  EXPECT_EQ(met[0].table, "fw");
  EXPECT_EQ(met[0].flowtable.name, "fast");
  EXPECT_EQ(met[0].flowtable.priority, -10);
  EXPECT_FALSE(met[0].flowtable.hardware);
  EXPECT_EQ(met[0].flowtable.devices.size(), 2U);
}

// ctnetlink tells neither state nor timeout of such an entry, and the program takes that for nothing else.
TEST_P(FlowtableTest, AConnectionThatIsInItClosesWithItsEntry) {
  Load();
  OpenConnection connection = OpenOffloaded();
  const Passed passed = ForwardingScene::Do(Act::kClose, connection);
  EXPECT_TRUE(passed.at(PacketKind::kFin) && passed.at(PacketKind::kAck));
  ::shutdown(connection.peer.Get(), SHUT_WR);
  EXPECT_TRUE(lab::Eventually([&] { return IsClosed(connection.peer); }, 5)) << "its FIN, or the answer to it";
}

TEST_P(FlowtableTest, WithoutItsEntryNothingPassesTheRulesByIt) {
  Load();
  OpenConnection connection = OpenOffloaded();
  scene_->FlushEntries();
  const ForwardedOutcome outcome = scene_->Fate(connection);
  EXPECT_EQ(Name(outcome.fate), Name(Fate::kFinDropped)) << outcome.reason;
  EXPECT_EQ(outcome.fin.hook, firewall::Hook::kForward);
  EXPECT_FALSE(ForwardingScene::Do(Act::kClose, connection).at(PacketKind::kFin));
}

std::string FlowtableSceneName(const testing::TestParamInfo<SceneOptions>& info) {
  return std::string(info.param.family == IpFamily::kIpv4 ? "Ipv4" : "Ipv6") +
         (info.param.joint == Joint::kBridge ? "Bridge" : "RoutedVeth");
}

INSTANTIATE_TEST_SUITE_P(All, FlowtableTest,
                         testing::Values(SceneOptions{IpFamily::kIpv4, Joint::kRoutedVeth},
                                         SceneOptions{IpFamily::kIpv6, Joint::kRoutedVeth},
                                         SceneOptions{IpFamily::kIpv4, Joint::kBridge}),
                         FlowtableSceneName);

}  // namespace
}  // namespace finwait::diagnosis
