#include "collectors/sources/network_namespaces.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::sources {
namespace {

NetworkNamespacesSample CollectNamespaces(const lab::Namespace& where, NamespaceDepth depth) {
  NamespaceSettings settings;
  settings.depth = depth;
  return lab::Collect<NetworkNamespacesSample, NetworkNamespacesCollector>(where, settings,
                                                                           Pacer(std::chrono::seconds(5), 1));
}

// A process that does nothing but live in a namespace.
class Inhabitant {
 public:
  explicit Inhabitant(const lab::Namespace& where) : pid_(where.Spawn({"sleep", "60"})) {}
  ~Inhabitant() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

// /proc shows what this test has started and itself, which lives in a namespace of its own.
TEST(NetworkNamespacesTest, CountsTheNamespacesThatProcessesLiveInAndNotItsOwn) {
  const lab::Namespace here;
  const lab::Namespace first;
  const lab::Namespace second;
  const Inhabitant at_home(here);
  const Inhabitant one(first);
  const Inhabitant another(first);
  const Inhabitant third(second);
  EXPECT_TRUE(lab::Eventually([&] { return CollectNamespaces(here, NamespaceDepth::kNone).unseen == 3; }));
  EXPECT_TRUE(lab::Eventually([&] { return CollectNamespaces(here, NamespaceDepth::kNone).processes_elsewhere >= 3; }));
  EXPECT_EQ(CollectNamespaces(here, NamespaceDepth::kNone).observed, 0U);
  EXPECT_TRUE(lab::Eventually([&] { return CollectNamespaces(here, NamespaceDepth::kObserve).observed == 3; }));
}

TEST(NetworkNamespacesTest, ReadsTheSocketsOfAnotherNamespaceWithTheHostsEntries) {
  const lab::Wire wire;
  const Inhabitant inhabitant(wire.peer);
  // The host's conntrack runs, and its entry is of the connection that both ends have.
  wire.local.Shell("iptables -A INPUT -m conntrack --ctstate NEW -j ACCEPT");
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  const UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  const NetworkNamespacesSample sample = CollectNamespaces(wire.local, NamespaceDepth::kObserve);
  ASSERT_NE(sample.live, nullptr);
  bool found = false;
  for (std::size_t i = 0; i < sample.live->sockets.Size(); ++i) {
    const kernel::TcpSocket socket = sample.live->sockets[i];
    if (socket.local.Text() == lab::LocalEndpoint(server) && socket.peer.Text() == lab::LocalEndpoint(client)) {
      found = true;
      EXPECT_EQ(socket.entry.tracking, kernel::Tracking::kTracked);
      EXPECT_EQ(socket.entry.state, kernel::ConntrackTcpState::kEstablished);
    }
  }
  EXPECT_TRUE(found);
}

TEST(NetworkNamespacesTest, TellsHowANamespaceIsJoinedToTheHost) {
  const lab::Wire routed;
  const lab::Namespace& host = routed.local;
  const Inhabitant behind_a_veth(routed.peer);
  const lab::Namespace bridged;
  const Inhabitant behind_a_bridge(bridged);
  const lab::Namespace macvlan;
  const Inhabitant beside(macvlan);
  host.Shell("ip link add br0 type bridge; ip link add port type veth peer name eth0 netns " + bridged.Path() +
             "; ip link set port master br0");
  host.Shell("ip link add link veth0 name mac type macvlan; ip link set mac netns " + macvlan.Path());
  std::vector<std::string> joints;
  EXPECT_TRUE(lab::Eventually([&] {
    joints.clear();
    const NetworkNamespacesSample sample = CollectNamespaces(host, NamespaceDepth::kObserve);
    for (const OtherNamespace& one : sample.namespaces) {
      joints.push_back(!one.joined           ? "unknown"
                       : !one.joined->device ? "none"
                                             : one.joined->device->name + "@" +
                                                   (one.joined->master ? one.joined->master->name : "nothing"));
    }
    std::ranges::sort(joints);
    // The test itself lives in a fourth.
    return joints == std::vector<std::string>{"none", "none", "port@br0", "veth0@nothing"};
  })) << testing::PrintToString(joints);
}

}  // namespace
}  // namespace finwait::sources
