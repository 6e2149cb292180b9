// Rulesets that real software writes (tests/fixtures/firewall/real): what `explain` says of a connection, held against
// its real close.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using lab::Namespace;
using Json = nlohmann::json;

constexpr const char* kPodAddress[2] = {"198.51.100.2", "2001:db8:1::2"};

// A host with the world on one side and a container, or pod, on the other; as Docker has them, but for the bridge.
struct Hosting {
  Hosting() {
    wire.local.Shell("ip link add docker0 type veth peer name eth0 netns " + pod.Path() +
                     " && ip link set docker0 up && ip address add 198.51.100.1/25 dev docker0"
                     " && ip address add 2001:db8:1::1/64 dev docker0 nodad"
                     " && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    pod.Shell(
        "ip link set eth0 up && ip address add 198.51.100.2/25 dev eth0 && ip address add 2001:db8:1::2/64 dev eth0 "
        "nodad"
        " && ip route add default via 198.51.100.1 && ip -6 route add default via 2001:db8:1::1");
    wire.peer.Shell("ip route add 198.51.100.0/25 via 192.0.2.1 && ip -6 route add 2001:db8:1::/64 via 2001:db8::1");
  }
  lab::Wire wire;
  Namespace pod;
};

enum class Place { kHost, kPod, kWorld };

// One ruleset and one connection under it.
struct Trial {
  const char* name;
  const char* load;  ///< a script in the folder of the rulesets; $V is 4 or 6
  bool six;
  Place client;
  Place server;
  const char* to[2];  ///< what the client connects to, by IPv6; a port behind it
  std::uint16_t port;
  std::uint16_t served_on[2];  ///< the server's ports (kube-proxy draws one)
  bool client_closes;
  const char* fate;          ///< of the close, foretold and seen
  const char* once_unknown;  ///< what `explain` says after the entry is gone, where that is less
  friend void PrintTo(const Trial& trial, std::ostream* out) { *out << trial.name; }
};

constexpr const char* kUfw4 = "iptables-nft-restore < ufw.iptables";
constexpr const char* kUfw4Legacy = "iptables-legacy-restore < ufw.iptables";
constexpr const char* kUfw6 = "ip6tables-nft-restore < ufw.ip6tables";
constexpr const char* kUfw6Legacy = "ip6tables-legacy-restore < ufw.ip6tables";
constexpr const char* kFirewalld = "sed 's/\"eth0\"/\"veth0\"/' firewalld.nft | nft -f -";
constexpr const char* kKube4 = "iptables-nft-restore < kube-proxy.iptables";
constexpr const char* kKube4Legacy = "iptables-legacy-restore < kube-proxy.iptables";
constexpr const char* kKube6 = "ip6tables-nft-restore < kube-proxy.ip6tables";
constexpr const char* kKube6Legacy = "ip6tables-legacy-restore < kube-proxy.ip6tables";
constexpr const char* kKubeNft4 = "nft -f kube-proxy.nft";
constexpr const char* kKubeNft6 = "nft -f kube-proxy6.nft";
constexpr const char* kDocker4 = "iptables-nft-restore < docker.iptables";
constexpr const char* kDocker4Legacy = "iptables-legacy-restore < docker.iptables";
constexpr const char* kDocker6 = "ip6tables-nft-restore < docker.ip6tables";
constexpr const char* kDocker6Legacy = "ip6tables-legacy-restore < docker.ip6tables";

constexpr const char* kWorld[2] = {"192.0.2.2", "2001:db8::2"};
constexpr const char* kHost[2] = {"192.0.2.1", "2001:db8::1"};
constexpr const char* kService[2] = {"192.0.2.65", "2001:db8::41"};

#define TO(addresses) \
  { addresses[0], addresses[1] }

const Trial kTrials[] = {
    // ufw drops INVALID on the way in only: the FIN leaves, and with tcp_loose the answer is NEW and meets the policy.
    {"UfwOutbound", kUfw4, false, Place::kHost, Place::kWorld, TO(kWorld), 80, {80, 80}, true, "ack_dropped", nullptr},
    {"UfwOutboundLegacy",
     kUfw4Legacy,
     false,
     Place::kHost,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "ack_dropped",
     nullptr},
    {"UfwOutbound6", kUfw6, true, Place::kHost, Place::kWorld, TO(kWorld), 80, {80, 80}, true, "ack_dropped", nullptr},
    {"UfwOutbound6Legacy",
     kUfw6Legacy,
     true,
     Place::kHost,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "ack_dropped",
     nullptr},
    // Towards a port that ufw has opened, the answer is NEW and let in.
    {"UfwInbound", kUfw4, false, Place::kWorld, Place::kHost, TO(kHost), 80, {80, 80}, false, "clean", nullptr},
    {"UfwInboundLegacy",
     kUfw4Legacy,
     false,
     Place::kWorld,
     Place::kHost,
     TO(kHost),
     22,
     {22, 22},
     false,
     "clean",
     nullptr},
    {"UfwInbound6", kUfw6, true, Place::kWorld, Place::kHost, TO(kHost), 80, {80, 80}, false, "clean", nullptr},
    {"UfwInbound6Legacy",
     kUfw6Legacy,
     true,
     Place::kWorld,
     Place::kHost,
     TO(kHost),
     22,
     {22, 22},
     false,
     "clean",
     nullptr},
    {"FirewalldOutbound",
     kFirewalld,
     false,
     Place::kHost,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "ack_dropped",
     nullptr},
    {"FirewalldOutbound6",
     kFirewalld,
     true,
     Place::kHost,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "ack_dropped",
     nullptr},
    {"FirewalldInbound",
     kFirewalld,
     false,
     Place::kWorld,
     Place::kHost,
     TO(kHost),
     80,
     {80, 80},
     false,
     "clean",
     nullptr},
    {"FirewalldInbound6",
     kFirewalld,
     true,
     Place::kWorld,
     Place::kHost,
     TO(kHost),
     22,
     {22, 22},
     false,
     "clean",
     nullptr},
    // A ClusterIP: the FIN goes out untranslated.
    {"KubeProxyClusterIp",
     kKube4,
     false,
     Place::kHost,
     Place::kPod,
     TO(kService),
     80,
     {80, 8080},
     true,
     "nat_lost",
     nullptr},
    {"KubeProxyClusterIpLegacy",
     kKube4Legacy,
     false,
     Place::kHost,
     Place::kPod,
     TO(kService),
     80,
     {80, 8080},
     true,
     "nat_lost",
     nullptr},
    {"KubeProxyClusterIp6",
     kKube6,
     true,
     Place::kHost,
     Place::kPod,
     TO(kService),
     80,
     {80, 8080},
     true,
     "nat_lost",
     nullptr},
    {"KubeProxyClusterIp6Legacy",
     kKube6Legacy,
     true,
     Place::kHost,
     Place::kPod,
     TO(kService),
     80,
     {80, 8080},
     true,
     "nat_lost",
     nullptr},
    {"KubeProxyNftClusterIp",
     kKubeNft4,
     false,
     Place::kHost,
     Place::kPod,
     TO(kService),
     80,
     {80, 8080},
     true,
     "nat_lost",
     nullptr},
    {"KubeProxyNftClusterIp6",
     kKubeNft6,
     true,
     Place::kHost,
     Place::kPod,
     TO(kService),
     80,
     {80, 8080},
     true,
     "nat_lost",
     nullptr},
    // A pod's own address needs no translation.
    {"KubeProxyPod", kKube4, false, Place::kHost, Place::kPod, TO(kPodAddress), 80, {80, 8080}, true, "clean", nullptr},
    {"KubeProxyPod6Legacy",
     kKube6Legacy,
     true,
     Place::kHost,
     Place::kPod,
     TO(kPodAddress),
     80,
     {80, 8080},
     true,
     "clean",
     nullptr},
    {"KubeProxyNftPod",
     kKubeNft4,
     false,
     Place::kHost,
     Place::kPod,
     TO(kPodAddress),
     8080,
     {80, 8080},
     true,
     "clean",
     nullptr},
    // What the host forwards for a pod meets KUBE-FORWARD, which drops INVALID.
    {"KubeProxyForwarded",
     kKube4,
     false,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "fin_dropped",
     nullptr},
    {"KubeProxyForwardedLegacy",
     kKube4Legacy,
     false,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "fin_dropped",
     nullptr},
    {"KubeProxyForwarded6",
     kKube6,
     true,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "fin_dropped",
     nullptr},
    {"KubeProxyNftForwarded",
     kKubeNft4,
     false,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "clean",
     nullptr},
    {"DockerHostToContainer",
     kDocker4,
     false,
     Place::kHost,
     Place::kPod,
     TO(kPodAddress),
     80,
     {80, 80},
     true,
     "clean",
     nullptr},
    // Masqueraded on its way out. Who opened a connection of others nobody here can see once its entry is gone.
    {"DockerContainerToWorld",
     kDocker4,
     false,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "nat_lost",
     "unknown"},
    {"DockerContainerToWorldLegacy",
     kDocker4Legacy,
     false,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "nat_lost",
     "unknown"},
    {"DockerContainerToWorld6",
     kDocker6,
     true,
     Place::kPod,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "nat_lost",
     "unknown"},
    // A published port.
    {"DockerPublished",
     kDocker4,
     false,
     Place::kWorld,
     Place::kPod,
     TO(kHost),
     8080,
     {80, 80},
     false,
     "nat_lost",
     "unknown"},
    {"DockerPublishedLegacy",
     kDocker4Legacy,
     false,
     Place::kWorld,
     Place::kPod,
     TO(kHost),
     8080,
     {80, 80},
     false,
     "nat_lost",
     "unknown"},
    {"DockerPublished6",
     kDocker6Legacy,
     true,
     Place::kWorld,
     Place::kPod,
     TO(kHost),
     8080,
     {80, 80},
     false,
     "nat_lost",
     "unknown"},
    // The host's own connections meet nothing of Docker's.
    {"DockerHostToWorld",
     kDocker4Legacy,
     false,
     Place::kHost,
     Place::kWorld,
     TO(kWorld),
     80,
     {80, 80},
     true,
     "clean",
     nullptr},
};
#undef TO

bool IsCloseWait(const UniqueFd& socket) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  return ::getsockopt(socket.Get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE_WAIT;
}

// What became of the close: the socket's line in `ss`, and the peer's state.
struct Seen {
  bool arrived = false;  // the FIN at the peer
  bool closed = false;   // the answer came back
  bool never_left = false;
  std::string line;
};

Seen Observe(const Namespace& where, const std::string& local, const UniqueFd& peer) {
  Seen seen;
  Eventually(
      [&] {
        const std::string rows = where.Shell("ss -Htnoa");  // not by filter: IPv6 text has more than one form
        seen.line.clear();
        std::istringstream lines(rows);
        for (std::string line; std::getline(lines, line);) {
          if (line.find(" " + local + " ") != std::string::npos && line.find("LISTEN") == std::string::npos) {
            seen.line = line;
          }
        }
        seen.arrived = IsCloseWait(peer);
        const bool gone = seen.line.empty() || seen.line.find("FIN-WAIT-2") == 0;
        seen.closed = seen.arrived && gone;
        seen.never_left = seen.line.find("timer:(persist") != std::string::npos;
        // "timer:(on,400ms,1)": sent again at least once.
        const std::size_t timer = seen.line.find("timer:(on,");
        const bool again = timer != std::string::npos && seen.line.find(",0)", timer) == std::string::npos;
        return gone || seen.never_left || again;
      },
      20);
  return seen;
}

class RealRulesetTest : public testing::TestWithParam<Trial> {
 protected:
  const Namespace& At(Place place) const {
    return place == Place::kHost ? hosting_.wire.local : place == Place::kPod ? hosting_.pod : hosting_.wire.peer;
  }

  Json Explain(const std::string& local, const std::string& peer, int* exit_code) const {
    const auto output = hosting_.wire.local.Command({lab::Program(), "explain", local, peer, "--format=json"});
    *exit_code = output.exit_code;
    EXPECT_EQ(output.err, "");
    return Json::parse(output.out);
  }

  Hosting hosting_;
};

TEST_P(RealRulesetTest, ClosesAsExplainedBeforehand) {
  const Trial& trial = GetParam();
  const std::string folder = (lab::SourceFolder() / "tests/fixtures/firewall/real").string();
  hosting_.wire.local.Shell("cd " + folder + " && " + trial.load);
  const Namespace& server_at = At(trial.server);
  const std::string served = trial.server == Place::kPod    ? kPodAddress[trial.six]
                             : trial.server == Place::kHost ? kHost[trial.six]
                                                            : kWorld[trial.six];
  const lab::Listener listeners[] = {
      lab::Listener(server_at, served, trial.served_on[0]),
      lab::Listener(server_at, served,
                    static_cast<std::uint16_t>(trial.served_on[1] == trial.served_on[0] ? trial.served_on[0] + 1000
                                                                                        : trial.served_on[1]))};
  UniqueFd client = lab::Connect(At(trial.client), trial.to[trial.six], trial.port);
  // Which of the ports it was led to, the listener that has a connection waiting tells.
  const std::string rows = server_at.Shell("ss -Htn state established");
  const bool second = rows.find(":" + std::to_string(trial.served_on[1]) + " ") != std::string::npos &&
                      trial.served_on[1] != trial.served_on[0] &&
                      rows.find(served + "]:" + std::to_string(trial.served_on[0]) + " ") == std::string::npos &&
                      rows.find(served + ":" + std::to_string(trial.served_on[0]) + " ") == std::string::npos;
  UniqueFd server = listeners[second ? 1 : 0].Accept();
  UniqueFd& closing = trial.client_closes ? client : server;
  UniqueFd& other = trial.client_closes ? server : client;
  const std::string local = lab::LocalEndpoint(closing);
  const std::string peer = lab::PeerEndpoint(closing);

  int exit_code = 0;
  const Json tracked = Explain(local, peer, &exit_code);
  EXPECT_EQ(tracked["tracked"], true) << tracked;
  EXPECT_EQ(tracked["fate"], trial.fate) << tracked.dump(1);
  EXPECT_EQ(exit_code, std::string(trial.fate) == "clean" ? 0 : 1);

  hosting_.wire.local.Command({"conntrack", "-F"});
  const Json gone = Explain(local, peer, &exit_code);
  const std::string foretold = trial.once_unknown != nullptr ? trial.once_unknown : trial.fate;
  EXPECT_EQ(gone["tracked"], false) << gone;
  EXPECT_EQ(gone["fate"], foretold) << gone.dump(1);
  EXPECT_EQ(exit_code, foretold == "clean" ? 0 : foretold == "unknown" ? 3 : 1);

  closing.Reset();
  const Seen seen = Observe(At(trial.client_closes ? trial.client : trial.server), local, other);
  const std::string fate(trial.fate);
  EXPECT_EQ(seen.closed, fate == "clean") << seen.line;
  EXPECT_EQ(seen.arrived, fate == "clean" || fate == "ack_dropped") << seen.line;
  EXPECT_FALSE(seen.never_left && fate != "fin_dropped") << seen.line;
}

INSTANTIATE_TEST_SUITE_P(Rulesets, RealRulesetTest, testing::ValuesIn(kTrials),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace finwait::e2e
