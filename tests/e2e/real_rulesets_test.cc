// Rulesets that real software writes (tests/cases/real): what `explain` says of a connection, held against its real
// close.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "exporter/diagnosis/connection_facts.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/recording/case.h"
#include "tests/recording/closed_connections.h"
#include "tests/recording/rules_record.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using lab::Namespace;
using Json = nlohmann::json;

// By whether it is IPv6.
constexpr const char* kPodAddress[2] = {"198.51.100.2", "2001:db8:1::2"};
constexpr const char* kWorldAddress[2] = {"192.0.2.2", "2001:db8::2"};
constexpr const char* kHostAddress[2] = {"192.0.2.1", "2001:db8::1"};

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

enum class RulePlace { kHost, kPod, kWorld };

// One connection under the rules of a case, as a file in its folder `closes` tells it.
struct Close {
  Close(recording::Case its_rules, std::string its_name) : rules(std::move(its_rules)), name(std::move(its_name)) {}
  recording::Case rules;
  std::string name;  // of the file, without its ending
  RulePlace client = RulePlace::kHost;
  RulePlace server = RulePlace::kWorld;
  std::string to;  // what the client connects to, at `port`
  std::uint16_t port = 0;
  std::vector<std::uint16_t> served_on;  // the server's ports: kube-proxy draws one
  bool client_closes = true;
  std::string fate;                // of the close, predicted and seen
  std::string fate_without_entry;  // what `explain` says after the entry is gone

  bool IsIpv6() const { return to.find(':') != std::string::npos; }
  friend void PrintTo(const Close& close, std::ostream* out) { *out << close.rules.Name() << "_" << close.name; }
};

RulePlace PlaceNamed(const std::string& name) {
  if (name == "host") {
    return RulePlace::kHost;
  }
  if (name == "pod") {
    return RulePlace::kPod;
  }
  if (name == "world") {
    return RulePlace::kWorld;
  }
  throw std::runtime_error("a close's place is host, pod or world, not " + name);
}

Close ParseClose(const recording::Case& rules, const std::filesystem::path& file) {
  std::map<std::string, std::string> values;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    if (!line.starts_with("#") && colon != std::string::npos) {
      values[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  Close close(rules, file.stem().string());
  close.client = PlaceNamed(values.at("client"));
  close.server = PlaceNamed(values.at("server"));
  close.to = values.at("connects to");
  close.port = static_cast<std::uint16_t>(std::stoul(values.at("port")));
  std::istringstream ports(values.at("served on"));
  for (std::uint16_t port = 0; ports >> port;) {
    close.served_on.push_back(port);
  }
  close.client_closes = values.at("closes") == "client";
  close.fate = values.at("fate");
  close.fate_without_entry = values.contains("fate without the entry") ? values["fate without the entry"] : close.fate;
  return close;
}

std::vector<Close> AllCloses() {
  std::vector<Close> closes;
  for (const recording::Case& rules : recording::CasesOf("real")) {
    for (const auto& file : std::filesystem::directory_iterator(rules.Folder() / "closes")) {
      if (file.path().extension() == ".txt") {
        closes.push_back(ParseClose(rules, file.path()));
      }
    }
  }
  std::sort(closes.begin(), closes.end(), [](const Close& a, const Close& b) {
    return std::pair(a.rules.Name(), a.name) < std::pair(b.rules.Name(), b.name);
  });
  return closes;
}

bool IsCloseWait(const UniqueFd& socket) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  return ::getsockopt(socket.Get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE_WAIT;
}

// What became of the close: the socket's line in `ss`, and the peer's state.
struct SeenOfRules {
  bool arrived = false;  // the FIN at the peer
  bool closed = false;   // the answer came back
  bool never_left = false;
  std::string line;
};

SeenOfRules Observe(const Namespace& where, const std::string& local, const UniqueFd& peer) {
  SeenOfRules seen;
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

class RealRulesetTest : public testing::TestWithParam<Close> {
 protected:
  const Namespace& At(RulePlace place) const {
    return place == RulePlace::kHost  ? hosting_.wire.local
           : place == RulePlace::kPod ? hosting_.pod
                                      : hosting_.wire.peer;
  }

  Json Explain(const std::string& local, const std::string& peer, int* exit_code) const {
    const auto output = hosting_.wire.local.Command({lab::Program(), "explain", local, peer, "--format=json"});
    *exit_code = output.exit_code;
    EXPECT_EQ(output.err, "");
    return Json::parse(output.out);
  }

  // What is known of the connection once its entry is gone; evaluated, so that the record answers all that it takes.
  recording::ClosedConnections FactsOf(const Close& close, const std::string& local, const std::string& peer,
                                       recording::RulesRecord& record) const {
    using firewall::eval::OpenedBy;
    using firewall::eval::PacketKind;
    recording::ClosedConnections connections;
    hosting_.wire.local.Run([&] {
      firewall::read::FactResolver resolver(lab::HostHere());
      firewall::facts::FactStore store;
      firewall::facts::FactQuery query(store);
      auto facts = diagnosis::ConnectionBetween({*Endpoint::Parse(local), *Endpoint::Parse(peer)}, query);
      for (auto missing = query.TakeNeeds(); !missing.empty(); missing = query.TakeNeeds()) {
        resolver.Resolve(missing, store);
        facts = diagnosis::ConnectionBetween({*Endpoint::Parse(local), *Endpoint::Parse(peer)}, query);
      }
      ASSERT_TRUE(facts) << facts.error().message;
      facts->opened_by = close.client_closes ? OpenedBy::kLocal : OpenedBy::kPeer;
      facts->translated = firewall::eval::TristateOf(close.fate == "nat_lost");
      connections.all.push_back({*facts, {{PacketKind::kFin, std::nullopt}, {PacketKind::kAck, std::nullopt}}});
      EvaluateAll(connections, record.GetRuleset(), record.Facts());
    });
    return connections;
  }

  Hosting hosting_;
};

TEST_P(RealRulesetTest, ClosesAsExplainedBeforehand) {
  using firewall::eval::PacketKind;
  const Close& close = GetParam();
  hosting_.wire.local.Shell(close.rules.LoadScript());
  recording::RulesRecord record(hosting_.wire.local);
  const Namespace& server_at = At(close.server);
  const std::string served = close.server == RulePlace::kPod    ? kPodAddress[close.IsIpv6()]
                             : close.server == RulePlace::kHost ? kHostAddress[close.IsIpv6()]
                                                                : kWorldAddress[close.IsIpv6()];
  std::vector<std::unique_ptr<lab::Listener>> listeners;
  for (const std::uint16_t port : close.served_on) {
    listeners.push_back(std::make_unique<lab::Listener>(server_at, served, port));
  }
  UniqueFd client = lab::Connect(At(close.client), close.to, close.port);
  // Which of the ports it was led to, the listener that has a connection waiting tells.
  UniqueFd server;
  EXPECT_TRUE(Eventually(
      [&] {
        const auto ready =
            std::find_if(listeners.begin(), listeners.end(), [](const auto& one) { return one->HasConnection(); });
        if (ready != listeners.end()) {
          server = (*ready)->Accept();
        }
        return bool(server);
      },
      5));
  UniqueFd& closing = close.client_closes ? client : server;
  UniqueFd& other = close.client_closes ? server : client;
  const std::string local = lab::LocalEndpoint(closing);
  const std::string peer = lab::PeerEndpoint(closing);

  int exit_code = 0;
  const Json tracked = Explain(local, peer, &exit_code);
  EXPECT_EQ(tracked["tracked"], true) << tracked;
  EXPECT_NE(tracked["entry"].get<std::string>().find("ESTABLISHED"), std::string::npos) << tracked;
  EXPECT_EQ(tracked["fate"], close.fate) << tracked.dump(1);
  EXPECT_EQ(exit_code, close.fate == "clean" ? 0 : 1);

  hosting_.wire.local.Command({"conntrack", "-F"});
  const Json gone = Explain(local, peer, &exit_code);
  EXPECT_EQ(gone["tracked"], false) << gone;
  EXPECT_EQ(gone["entry"], nullptr) << gone;
  EXPECT_EQ(gone["fate"], close.fate_without_entry) << gone.dump(1);
  EXPECT_EQ(exit_code, close.fate_without_entry == "clean" ? 0 : close.fate_without_entry == "unknown" ? 3 : 1);
  recording::ClosedConnections connections = FactsOf(close, local, peer, record);

  closing.Reset();
  const SeenOfRules seen = Observe(At(close.client_closes ? close.client : close.server), local, other);
  // With peer_fin_dropped a close from here works.
  const bool closes = close.fate == "clean" || close.fate == "peer_fin_dropped";
  EXPECT_EQ(seen.closed, closes) << seen.line;
  EXPECT_EQ(seen.arrived, closes || close.fate == "ack_dropped") << seen.line;
  EXPECT_FALSE(seen.never_left && close.fate != "fin_dropped") << seen.line;

  // A FIN that went somewhere else left all the same; whether, this socket does not show.
  auto& packets = connections.all.at(0).passed;
  packets[PacketKind::kFin] = close.fate == "nat_lost" ? std::nullopt : std::optional(seen.arrived);
  packets[PacketKind::kAck] = seen.arrived ? std::optional(seen.closed) : std::nullopt;
  const std::string file = "closes/" + close.name + ".json";
  if (recording::IsRecording() && !HasFailure()) {
    record.Write(close.rules);
    connections.WriteIfChanged(close.rules, file);
  } else {
    EXPECT_EQ(record.HasRecordedTools() ? record.Compare(close.rules) : "", "");
    EXPECT_EQ(OutcomesOf(connections), OutcomesOf(recording::ClosedConnections::Parse(close.rules.Require(file))));
  }
}

class HealthyHostTest : public testing::TestWithParam<recording::Case> {};

// All entries are there: whatever the ruleset, nothing would stick now, and that can be told.
TEST_P(HealthyHostTest, IsNoneOrLatent) {
  const Hosting hosting;
  const Namespace& host = hosting.wire.local;
  host.Shell(GetParam().LoadScript());
  const auto stage = [&] {
    const auto output = host.Command(lab::CheckCommand({"--format=json"}));
    const Json report = Json::parse(output.out, nullptr, false);
    return report.is_object() && report["verdict"]["stage"].is_string() ? report["verdict"]["stage"].get<std::string>()
                                                                        : "cannot tell: " + output.out;
  };
  const std::string idle = stage();
  EXPECT_TRUE(idle == "none" || idle == "latent") << idle;
  lab::Listener world(hosting.wire.peer, kWorldAddress[0], 80);
  const UniqueFd client = lab::Connect(host, kWorldAddress[0], 80);
  const UniqueFd server = world.Accept();
  const std::string open = stage();
  EXPECT_TRUE(open == "none" || open == "latent") << open;
}

INSTANTIATE_TEST_SUITE_P(Rulesets, HealthyHostTest, testing::ValuesIn(recording::CasesOf("real")),
                         [](const auto& each) { return each.param.Name(); });

INSTANTIATE_TEST_SUITE_P(Rulesets, RealRulesetTest, testing::ValuesIn(AllCloses()),
                         [](const auto& each) { return each.param.rules.Name() + "_" + each.param.name; });

}  // namespace
}  // namespace finwait::e2e
