// What `check` says of silent connections, applied: the timeout that it calls safe, the one that it says would forget,
// and the keepalive that it says would do instead.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

constexpr std::uint16_t kPool = 5432;
constexpr std::uint16_t kKeptAlive = 5433;
constexpr std::uint16_t kLonger = 5434;
constexpr std::uint16_t kClosing = 5435;
constexpr const char* kTimeout = "net.netfilter.nf_conntrack_tcp_timeout_established";

// The text of the advice `id`; "" where there is none.
std::string TextOf(const nlohmann::json& report, const std::string& id) {
  for (const auto& one : report["explanation"]["what_to_do"]) {
    if (one.value("id", "") == id) {
      return one["text"];
    }
  }
  return "";
}

// Of connections to that port of peers', how many a timeout of 60 s would have lost within 24 hours.
int SpokeAgain(const nlohmann::json& idle, std::uint16_t port) {
  int sum = 0;
  for (const auto& service : idle["services"]) {
    sum += service["port"] == port && service["at_peer"] == true ? service["spoke_again"]["60"].get<int>() : 0;
  }
  return sum;
}

class IdleAdviceTest : public testing::Test {
 protected:
  void Open(std::size_t count, std::uint16_t port) {
    listeners_.push_back(std::make_unique<lab::Listener>(scene_.Peer(), lab::Wire::kPeer4, port));
    for (UniqueFd& end : lab::ConnectMany(count, scene_.Local(), lab::Wire::kPeer4, port, *listeners_.back())) {
      ends_.push_back(std::move(end));
    }
  }
  // TCP_KEEPIDLE and TCP_KEEPINTVL of the last `count` connections.
  void KeepLastAlive(std::size_t count, int seconds) {
    for (std::size_t i = ends_.size() - 2 * count; i < ends_.size(); i += 2) {
      const int on = 1;
      ASSERT_EQ(::setsockopt(ends_[i].Get(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds), 0);
      ASSERT_EQ(::setsockopt(ends_[i].Get(), IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds), 0);
      ASSERT_EQ(::setsockopt(ends_[i].Get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
    }
  }
  nlohmann::json Check(const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> command = {lab::Program(), "check", "--namespaces=none", "--format=json"};
    command.insert(command.end(), flags.begin(), flags.end());
    return nlohmann::json::parse(scene_.Local().Command(command).out);
  }
  int EntriesTo(std::uint16_t port) const {
    return std::stoi(
        scene_.Local().Shell("conntrack -L -p tcp --dport " + std::to_string(port) + " 2>/dev/null | wc -l"));
  }

  Scene scene_;
  std::vector<std::unique_ptr<lab::Listener>> listeners_;
  std::vector<UniqueFd> ends_;
};

TEST_F(IdleAdviceTest, ThePoolsPortTheSafeTimeoutAndTheKeepaliveAreNamedAndRight) {
  scene_.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  // A timeout of 60 s forgets the pool; the keepalive that is advised for it, and a longer timeout, forget nothing.
  scene_.Local().Sysctl(kTimeout, "600");
  Open(2, kClosing);
  scene_.Local().Sysctl(kTimeout, "300");
  Open(3, kLonger);
  scene_.Local().Sysctl(kTimeout, "60");
  Open(40, kPool);
  Open(5, kKeptAlive);
  KeepLastAlive(5, 30);
  const Program program(scene_.Local(), {"--sampling.interval=1s", "--path.timeout=192.0.2.0/24=60s"});
  std::this_thread::sleep_for(std::chrono::seconds(66));

  const auto report = Check({"--path.timeout=192.0.2.0/24=60s"});
  const std::string safe = TextOf(report, "safe_timeout");
  EXPECT_EQ(safe.find("A timeout of 120 s would have forgotten none of the connections seen"), 0U) << safe;
  EXPECT_NE(safe.find("60 s would have forgotten 45 (40 to peers' port 5432"), std::string::npos) << safe;
  EXPECT_NE(safe.find(", 3 to peers' port 5434"), std::string::npos) << safe;
  const std::string verdict = report["explanation"]["timeouts"][0]["text"];
  EXPECT_EQ(verdict.find("nf_conntrack_tcp_timeout_established = 60 s is not safe, by what was seen at this moment. It "
                         "has forgotten 40 of "),
            0U)
      << verdict;
  EXPECT_EQ(report["idle"]["in_force"]["safe"], false);
  const std::string keepalive = TextOf(report, "idle_keepalive");
  EXPECT_NE(keepalive.find("for the 40 silent connections to peers' port 5432"), std::string::npos) << keepalive;
  EXPECT_NE(keepalive.find("keepalive is off on 40 of 40"), std::string::npos) << keepalive;
  EXPECT_NE(keepalive.find("TCP_KEEPIDLE = 30 and TCP_KEEPINTVL = 30."), std::string::npos) << keepalive;
  EXPECT_NE(keepalive.find("In terms of PostgreSQL: keepalives_idle=30"), std::string::npos) << keepalive;
  const std::string path = TextOf(report, "path_forgets");
  EXPECT_NE(path.find("45 connections there have been silent for longer"), std::string::npos) << path;

  EXPECT_EQ(EntriesTo(kPool), 0);
  EXPECT_EQ(EntriesTo(kKeptAlive), 5);
  EXPECT_EQ(EntriesTo(kLonger), 3);
  EXPECT_EQ(report["live"]["untracked"]["established"], 40);

  // One that was silent for longer than 60 s speaks: the service remembers that a timeout of 60 s would have lost it.
  constexpr std::size_t kFirstOfLonger = 4;
  ASSERT_EQ(::send(ends_[kFirstOfLonger].Get(), "x", 1, MSG_NOSIGNAL), 1);
  nlohmann::json idle;
  EXPECT_TRUE(lab::Eventually(
      [&] {
        idle = nlohmann::json::parse(program.Get("/api/v1/report").body)["idle"];
        return idle["last_24_hours"]["longer"]["60"] == 1;
      },
      30))
      << idle;
  EXPECT_GE(idle["last_24_hours"]["largest_seconds"], 60);
  EXPECT_EQ(idle["last_24_hours"]["longer"]["240"], 0) << idle;
  EXPECT_EQ(SpokeAgain(idle, kLonger), 1) << idle;
  EXPECT_EQ(SpokeAgain(idle, kPool), 0) << idle;

  // Two that the path has forgotten close, and nobody answers: their entries are there, and no rule drops them.
  scene_.Peer().Shell("nft 'table inet silence { chain in { type filter hook input priority 0; drop; }; }'");
  ends_[0].Reset();
  ends_[2].Reset();
  nlohmann::json stuck;
  EXPECT_TRUE(lab::Eventually(
      [&] {
        stuck = nlohmann::json::parse(program.Get("/api/v1/report").body)["explanation"]["stuck"];
        return stuck.dump().find("The path forgot 2 of these sockets (no_reply): silent for more than the 60 s") !=
               std::string::npos;
      },
      60))
      << stuck;
}

}  // namespace
}  // namespace finwait::e2e
