#include "tests/e2e/scene.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

constexpr std::uint16_t kScenePort = 80;
constexpr const char* kTcpSockets = "ss -Hton state fin-wait-1 state closing state last-ack";

}  // namespace

Ends Scene::Open(bool ipv6, const std::string& address) {
  auto& listener = listeners_[ipv6 ? 1 : 0];
  const std::string peer = ipv6 ? lab::Wire::kPeer6 : lab::Wire::kPeer4;
  if (listener == nullptr) {
    listener = std::make_unique<lab::Listener>(wire_.peer, peer, kScenePort);
  }
  Ends ends;
  ends.local = lab::Connect(wire_.local, address.empty() ? peer : address, kScenePort);
  ends.peer = listener->Accept();
  return ends;
}

void Scene::LoseEntries() const { wire_.local.Shell("conntrack -F >/dev/null 2>&1"); }

nlohmann::json Scene::Check() const {
  const auto output = wire_.local.Command(lab::CheckCommand({"--format=json"}));
  auto json = nlohmann::json::parse(output.out);
  json["exit_code"] = output.exit_code;
  return json;
}

std::string Scene::CheckText() const { return wire_.local.Command(lab::CheckCommand()).out; }

std::string Scene::Advised(const std::string& id) const {
  const auto json = Check();
  for (const auto& one : json["explanation"]["what_to_do"]) {
    if (one.value("id", "") == id) {
      return one["command"].is_null() ? "" : one["command"].get<std::string>();
    }
  }
  throw std::runtime_error("check does not advise " + id + ": " + json["explanation"].dump(1));
}

bool Scene::WarnsOf(const std::string& id) const {
  const auto json = Check();
  const auto& all = json["explanation"]["will_not_help"];
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.value("id", "") == id; });
}

void Scene::Follow(const std::string& command) const {
  if (command.empty()) {
    throw std::runtime_error("the advice has no command");
  }
  wire_.local.Shell(std::regex_replace(
      command, std::regex("sleep 130"),
      "for i in $(seq 150); do [ -n \"$(" + std::string(kTcpSockets) + ")\" ] || break; sleep 0.1; done"));
}

int Scene::Stuck() const { return std::stoi(wire_.local.Shell(std::string(kTcpSockets) + " | wc -l")); }

std::vector<int> Scene::Tries() const {
  std::istringstream lines(wire_.local.Shell(kTcpSockets));
  std::vector<int> all;
  for (std::string line; std::getline(lines, line);) {
    all.push_back(TriesOf(line));
  }
  return all;
}

int Scene::MostTries() const {
  const std::vector<int> all = Tries();
  return all.empty() ? 0 : *std::max_element(all.begin(), all.end());
}

int Scene::PeerSockets(const std::string& state) const {
  return std::stoi(wire_.peer.Shell("ss -Htn state " + state + " | wc -l"));
}

bool Scene::StaysStuck() const {
  return lab::Eventually([&] { return MostTries() >= 3; });
}

bool Scene::ClosesOnBothEnds() const {
  return lab::Eventually([&] { return Stuck() == 0 && PeerSockets("established") == 0; });
}

int TriesOf(const std::string& line) {
  // timer:(persist,1.5sec,3), or timer:(on,,3) where the next try is due this very moment
  static const std::regex tries("timer:\\([a-z]+,[^,]*,([0-9]+)\\)");
  std::smatch match;
  return std::regex_search(line, match, tries) ? std::stoi(match[1]) : 0;
}

void CloseWithReset(UniqueFd& socket) {
  const linger reset = {1, 0};
  if (::setsockopt(socket.Get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0) {
    throw std::runtime_error("SO_LINGER");
  }
  socket.Reset();
}

void KeepAlive(const UniqueFd& socket, int seconds) {
  const int on = 1;
  if (::setsockopt(socket.Get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0 ||
      ::setsockopt(socket.Get(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) != 0 ||
      ::setsockopt(socket.Get(), IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds) != 0) {
    throw std::runtime_error("SO_KEEPALIVE");
  }
}

}  // namespace finwait::e2e
