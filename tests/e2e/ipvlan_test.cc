// A container behind an ipvlan device: no device of the host leads to it, and the mode alone, which the host is not
// told, decides whether the host's OUTPUT sees what it sends. So its closes are unknown, never clean.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

class IpvlanTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto made =
        host_.local.Command({"ip", "link", "add", "iv0", "link", "veth0", "type", "ipvlan", "mode", GetParam()});
    if (made.exit_code != 0) {
      GTEST_SKIP() << "this kernel has no ipvlan (CONFIG_IPVLAN): " << made.err;
    }
    host_.local.Shell("ip link set iv0 netns " + inside_.Path());
    if (PassesOutput()) {  // routed, and no neighbour of anybody
      inside_.Shell("ip address add 198.51.100.2/32 dev iv0; ip link set iv0 up; ip route add default dev iv0");
      host_.peer.Shell("ip route add 198.51.100.0/24 via 192.0.2.1");
    } else {
      inside_.Shell("ip address add 192.0.2.5/24 dev iv0; ip link set iv0 up");
    }
  }
  static bool PassesOutput() { return GetParam() != std::string("l2"); }

  lab::Wire host_;
  lab::Namespace inside_;
};

TEST_P(IpvlanTest, ItsCloseIsUnknownWhateverTheModeMakesOfIt) {
  const lab::Listener listener(host_.peer, lab::Wire::kPeer4, 80);
  UniqueFd client = lab::Connect(inside_, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  // In mode l3 the host sees one direction only, and takes all but the first packet for INVALID.
  host_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP; conntrack -F 2>/dev/null");
  const pid_t process = inside_.Spawn({"sleep", "60"});
  ASSERT_TRUE(Eventually(
      [&] { return std::filesystem::equivalent("/proc/" + std::to_string(process) + "/ns/net", inside_.Path()); }));
  const auto explain = [&](const char* format) {
    return host_.local
        .Command({lab::Program(), "explain", "--netns=" + std::to_string(process), lab::LocalEndpoint(client),
                  lab::PeerEndpoint(client), format})
        .out;
  };
  const auto explained = nlohmann::json::parse(explain("--format=json"), nullptr, false);
  const std::string text = explain("--format=text");
  ::kill(process, SIGKILL);
  ASSERT_FALSE(explained.is_discarded());
  EXPECT_EQ(explained["fate"], "unknown") << explained;
  EXPECT_NE(text.find("behind an ipvlan in mode l3 or l3s, whose packets pass OUTPUT and POSTROUTING here"),
            std::string::npos)
      << text;
  client.Reset();
  if (PassesOutput()) {
    EXPECT_TRUE(Eventually([&] {
      return inside_.Shell("ss -Htan state fin-wait-1") != "" &&
             std::stoi(host_.local.Shell("iptables -nvxL OUTPUT | awk '/INVALID/ { print $1 }'")) >= 2;
    })) << host_.local.Shell("iptables -nvL OUTPUT");
  } else {
    EXPECT_TRUE(Eventually([&] { return inside_.Shell("ss -Htan state fin-wait-2") != ""; }));
  }
}

INSTANTIATE_TEST_SUITE_P(Each, IpvlanTest, testing::Values("l2", "l3", "l3s"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace finwait::e2e
