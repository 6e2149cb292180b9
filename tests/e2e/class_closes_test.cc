// Rulesets that real software writes (tests/cases/real): of each class that `explain --all` tells apart one connection
// is opened, closed without its entry, and held against the class.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/unique_fd.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/recording/case.h"

namespace finwait::e2e {
namespace {

using lab::Namespace;
using Json = nlohmann::json;

// A host with the whole world on one side and a container on the other, as Docker has them but for the bridge.
struct Place {
  Place() {
    wire.local.Shell("ip link add docker0 type veth peer name eth0 netns " + pod.Path() +
                     " && ip link set docker0 up && ip address add 198.51.100.1/25 dev docker0"
                     " && ip address add 2001:db8:1::1/64 dev docker0 nodad"
                     " && ip route add default via 192.0.2.2 && ip -6 route add default via 2001:db8::2");
    pod.Shell(
        "ip link set eth0 up && ip address add 198.51.100.2/25 dev eth0 && ip address add 2001:db8:1::2/64 dev eth0 "
        "nodad && ip route add default via 198.51.100.1 && ip -6 route add default via 2001:db8:1::1");
  }
  // Where that peer is.
  const Namespace& Of(const IpAddress& peer) const {
    const std::string text = peer.Text();
    const bool behind = text.starts_with("2001:db8:1::") || (text.starts_with("198.51.100.") && LastByte(text) < 128);
    return behind ? pod : wire.peer;
  }

  lab::Wire wire;
  Namespace pod;

 private:
  static int LastByte(const std::string& text) { return std::stoi(text.substr(text.rfind('.') + 1)); }
};

// What tells a class's connection apart, beside its ends.
struct SocketTraits {
  std::optional<std::uint32_t> mark;
  std::optional<unsigned> user;
  std::optional<unsigned> group;
  bool opened_by_peer = false;
};

SocketTraits TraitsOf(const Json& flags) {
  SocketTraits traits;
  for (const Json& each : flags) {
    const std::string flag = each.get<std::string>();
    const std::string value = flag.substr(flag.find('=') + 1);
    if (flag.starts_with("--mark=")) {
      traits.mark = static_cast<std::uint32_t>(std::stoul(value, nullptr, 0));
    } else if (flag.starts_with("--user=")) {
      traits.user = static_cast<unsigned>(std::stoul(value));
    } else if (flag.starts_with("--group=")) {
      traits.group = static_cast<unsigned>(std::stoul(value));
    } else if (flag == "--opened-by=peer") {
      traits.opened_by_peer = true;
    }
  }
  return traits;
}

std::pair<sockaddr_storage, socklen_t> AddressOf(const Endpoint& end) {
  sockaddr_storage storage = {};
  const auto bytes = end.address.Bytes();
  if (end.address.Family() == IpFamily::kIpv4) {
    auto& four = reinterpret_cast<sockaddr_in&>(storage);
    four.sin_family = AF_INET;
    four.sin_port = htons(end.port);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&four.sin_addr));
    return {storage, sizeof four};
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(storage);
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(end.port);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&six.sin6_addr));
  return {storage, sizeof six};
}

// A socket at that end, made inside the namespace by that user.
UniqueFd SocketAt(const Namespace& where, const Endpoint& end, const SocketTraits& traits) {
  UniqueFd made;
  where.Run([&] {
    if (traits.group) {
      ::setfsgid(*traits.group);
    }
    if (traits.user) {
      ::setfsuid(*traits.user);
    }
    made =
        UniqueFd(::socket(end.address.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::setfsuid(0);
    const int on = 1;
    ::setsockopt(made.Get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (traits.mark) {
      ::setsockopt(made.Get(), SOL_SOCKET, SO_MARK, &*traits.mark, sizeof *traits.mark);
    }
    const auto [address, size] = AddressOf(end);
    if (::bind(made.Get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      made.Reset();
    }
  });
  return made;
}

// One class's connection, both ends.
struct Trial {
  Json of;
  Endpoint local;
  Endpoint peer;
  UniqueFd here;
  UniqueFd there;
};

// `from` connects to `to`, which listens.
std::optional<UniqueFd> Join(const Namespace& where, const UniqueFd& from, const UniqueFd& to, const Endpoint& end) {
  bool connected = ::listen(to.Get(), 1) == 0;
  where.Run([&] {
    const auto [address, size] = AddressOf(end);
    connected = connected && ::connect(from.Get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  });
  return connected ? std::optional(UniqueFd(::accept4(to.Get(), nullptr, nullptr, SOCK_CLOEXEC))) : std::nullopt;
}

bool Open(const Place& place, Trial& trial) {
  const SocketTraits traits = TraitsOf(trial.of["example"]["flags"]);
  const Namespace& far = place.Of(trial.peer.address);
  const bool six = trial.peer.address.Family() == IpFamily::kIpv6;
  far.Command({"ip", "address", "add", trial.peer.address.Text() + (six ? "/128" : "/32"), "dev",
               &far == &place.pod ? "eth0" : "veth0", "nodad"});
  UniqueFd here = SocketAt(place.wire.local, trial.local, traits);
  UniqueFd there = SocketAt(far, trial.peer, {});
  if (!here || !there) {
    return false;
  }
  auto accepted =
      traits.opened_by_peer ? Join(far, there, here, trial.local) : Join(place.wire.local, here, there, trial.peer);
  if (!accepted || !*accepted) {
    return false;
  }
  trial.here = traits.opened_by_peer ? std::move(*accepted) : std::move(here);
  trial.there = traits.opened_by_peer ? std::move(there) : std::move(*accepted);
  return true;
}

// What `ss` shows of a socket.
struct Row {
  std::string state;
  bool tries_again = false;
  bool never_left = false;
};

// By "local peer".
std::map<std::string, Row> RowsOf(const Namespace& where) {
  std::map<std::string, Row> rows;
  std::istringstream lines(where.Shell("ss -Htnoa"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string state, received, sent, local, peer, timer;
    words >> state >> received >> sent >> local >> peer >> timer;
    const auto local_end = Endpoint::Parse(local);
    const auto peer_end = Endpoint::Parse(peer);
    if (local_end && peer_end) {
      const bool again = timer.starts_with("timer:(on,") && timer.find(",0)") == std::string::npos &&
                         timer.find(",1)") == std::string::npos;  // a busy machine answers late
      rows[local_end->Text() + " " + peer_end->Text()] = {state, again, timer.starts_with("timer:(persist")};
    }
  }
  return rows;
}

// What is seen of a close, once that is settled; "" before.
std::string Seen(const std::map<std::string, Row>& here, const std::map<std::string, Row>& there, const Trial& trial) {
  const auto row = here.find(trial.local.Text() + " " + trial.peer.Text());
  const auto peer = there.find(trial.peer.Text() + " " + trial.local.Text());
  // A REJECT that answers the peer's ACK with a reset ends the peer's socket.
  const bool arrived = peer == there.end() || peer->second.state == "CLOSE-WAIT";
  const bool gone = row == here.end() || row->second.state == "FIN-WAIT-2";
  if (gone) {  // one that answers the FIN with a reset ends this one
    return arrived ? "closes" : "ends here alone";
  }
  if (row->second.never_left) {
    return "never leaves";
  }
  if (!row->second.tries_again) {
    return "";
  }
  return arrived ? "is not answered" : "does not arrive";
}

bool IsAsSaid(const std::string& fate, const std::string& seen) {
  if (fate == "clean" || fate == "peer_fin_dropped") {  // this end closes first
    return seen == "closes";
  }
  if (fate == "fin_dropped") {
    return seen == "never leaves" || seen == "ends here alone";
  }
  return fate == "peer_decides" ? seen == "closes" || seen == "is not answered" : seen == "is not answered";
}

struct Tally {
  std::size_t classes = 0;
  std::size_t closed = 0;   // for real
  std::size_t unknown = 0;  // of which nothing was said
  std::size_t not_made = 0;
};

// The other ends of loopback, what nat translates, and what is unknown are other tests'.
bool IsTried(const Json& each) {
  const std::string fate = each["fate"].get<std::string>();
  const Json& devices = each["connections"]["devices"];
  if (std::any_of(devices.begin(), devices.end(), [](const Json& one) { return one != "veth0" && one != "docker0"; })) {
    return false;  // leads nowhere here
  }
  return each["connections"]["journey"] == "local" && fate != "unknown" && fate != "nat_lost";
}

class ClassClosesTest : public testing::TestWithParam<recording::Case> {
 protected:
  static Json AllClasses() {
    const Place place;
    place.wire.local.Shell(GetParam().LoadScript());
    const auto output = place.wire.local.Command({lab::Program(), "explain", "--all", "--format=json"}, "", 60);
    return Json::parse(output.out);
  }
};

TEST_P(ClassClosesTest, OneConnectionOfEachClassClosesAsItsClassSays) {
  const Json all = AllClasses();
  const Place place;
  Tally tally;
  std::vector<Trial> trials;
  std::set<std::string> used;
  for (const Json& each : all["classes"]) {
    ++tally.classes;
    tally.unknown += each["fate"] == "unknown" ? 1 : 0;
    if (!IsTried(each)) {
      continue;
    }
    Trial trial{each,
                *Endpoint::Parse(each["example"]["local"].get<std::string>()),
                *Endpoint::Parse(each["example"]["peer"].get<std::string>()),
                {},
                {}};
    // Two classes may have one example, told apart by what the socket is.
    const Json& ports = each["connections"]["local_ports"];
    while (!used.insert(trial.local.Text() + " " + trial.peer.Text()).second) {
      ++trial.local.port;
    }
    const bool is_of_class = std::any_of(ports.begin(), ports.end(), [&](const Json& range) {
      return range["first"] <= trial.local.port && trial.local.port <= range["last"];
    });
    if (is_of_class && Open(place, trial)) {
      trials.push_back(std::move(trial));
    } else {
      ++tally.not_made;
    }
  }
  ASSERT_FALSE(trials.empty()) << all;
  place.wire.local.Shell(GetParam().LoadScript());
  place.wire.local.Command({"conntrack", "-F"});
  for (Trial& trial : trials) {
    trial.here.Reset();
  }
  std::map<const Trial*, std::string> seen;
  lab::Eventually(
      [&] {
        // This end first: what it shows the other has seen.
        const auto here = RowsOf(place.wire.local);
        auto there = RowsOf(place.wire.peer);
        there.merge(RowsOf(place.pod));
        for (const Trial& trial : trials) {
          std::string& one = seen[&trial];
          one = one.empty() ? Seen(here, there, trial) : one;
        }
        return std::all_of(seen.begin(), seen.end(), [](const auto& each) { return !each.second.empty(); });
      },
      30);
  const auto left = place.wire.local.Shell("ss -Htnoa");
  for (const Trial& trial : trials) {
    EXPECT_TRUE(IsAsSaid(trial.of["fate"].get<std::string>(), seen[&trial]))
        << trial.of["fate"] << " is said, and it " << seen[&trial] << ": " << trial.of["connections"]["text"] << "\n"
        << trial.local.Text() << " " << trial.peer.Text() << " " << trial.of["example"]["flags"] << "\n"
        << left;
  }
  tally.closed = trials.size();
  std::cout << GetParam().Name() << ": " << tally.classes << " classes, one close of " << tally.closed << ", "
            << tally.unknown << " unknown, " << tally.not_made << " not made\n";
}

// The long form has every recorded ruleset: FINWAIT_CLASS_CLOSES=all.
std::vector<recording::Case> Cases() {
  if (std::getenv("FINWAIT_CLASS_CLOSES") != nullptr) {
    return recording::CasesOf("real");
  }
  std::vector<recording::Case> few;
  for (const char* name : {"docker", "firewalld", "kube_proxy", "ufw"}) {
    few.push_back(recording::FindCase("real", name));
  }
  return few;
}

INSTANTIATE_TEST_SUITE_P(Rulesets, ClassClosesTest, testing::ValuesIn(Cases()),
                         [](const auto& each) { return each.param.Name(); });

}  // namespace
}  // namespace finwait::e2e
