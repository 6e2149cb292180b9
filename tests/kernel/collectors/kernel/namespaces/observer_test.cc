#include "collectors/kernel/namespaces/observer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::kernel::namespaces {
namespace {

// A process that does nothing but live in a namespace.
class Inhabitant {
 public:
  explicit Inhabitant(const lab::Namespace& where) : pid_(where.Spawn({"sleep", "60"})) {
    const std::string own = "/proc/" + std::to_string(pid_) + "/ns/net";
    EXPECT_TRUE(lab::Eventually([&] { return std::filesystem::equivalent(own, where.Path()); }));
  }
  ~Inhabitant() { End(); }
  void End() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
  }
  pid_t Pid() const { return pid_; }

 private:
  pid_t pid_;
};

// Each way in which a socket sticks in a namespace that is only looked at from outside. What the observer reads without
// being told is the gate's doing: it reads a namespace again only where the gate says so.
class ObserverTest : public testing::Test {
 protected:
  ObserverTest() {
    wire_.local.Shell("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1 || true");
    listener_ = std::make_unique<lab::Listener>(wire_.peer, lab::Wire::kPeer4, 80);
  }
  // One round. Only the namespaces of this test are looked at in what it says.
  std::optional<ObservedNamespace> Collect() {
    const auto observed = observer_.Observe(Deadline::After(std::chrono::seconds(20)), std::chrono::seconds(20));
    EXPECT_TRUE(observed.has_value()) << observed.error().message;
    for (const ObservedNamespace& one : observer_.Namespaces()) {
      if (std::ranges::find(one.processes, static_cast<std::uint32_t>(inhabitant_.Pid())) != one.processes.end() ||
          one.id == id_) {
        id_ = one.id;
        return one;
      }
    }
    return std::nullopt;
  }
  void Open() {
    client_ = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
    server_ = listener_->Accept();
    Collect();
    ASSERT_EQ(Collect()->sockets->open.Size(), 1U);
  }
  std::size_t Closing() {
    const auto seen = Collect();
    return seen && seen->sockets ? seen->sockets->closing.size() : 0;
  }
  bool FindsStuck() {
    return lab::Eventually([this] { return Closing() == 1 && Collect()->sockets->closing.front().tries >= 2; }, 20);
  }
  void LoseEntry() const { wire_.local.Shell("conntrack -F 2>/dev/null"); }

  const lab::Wire wire_;
  const Inhabitant inhabitant_{wire_.local};
  std::unique_ptr<lab::Listener> listener_;
  UniqueFd client_;
  UniqueFd server_;
  Observer observer_{"/proc"};
  std::uint64_t id_ = 0;
};

TEST_F(ObserverTest, FindsAFinThatANamespacesOwnRulesDrop) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Open();
  LoseEntry();
  client_.Reset();
  EXPECT_TRUE(FindsStuck());
  const TcpSocket socket = Collect()->sockets->closing.front();
  EXPECT_EQ(socket.state, TcpState::kFinWait1);
  EXPECT_EQ(socket.timer, SocketTimer::kProbe);
  EXPECT_TRUE(socket.orphan);
}

TEST_F(ObserverTest, FindsOneInLastAck) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Open();
  server_.Reset();
  ASSERT_TRUE(lab::Eventually([this] {
    const auto seen = Collect();
    return seen && seen->sockets->open.Size() == 1 && seen->sockets->open[0].state == TcpState::kCloseWait;
  })) << "a socket in CLOSE_WAIT is seen as such";
  LoseEntry();
  client_.Reset();
  EXPECT_TRUE(FindsStuck());
  EXPECT_EQ(Collect()->sockets->closing.front().state, TcpState::kLastAck);
}

TEST_F(ObserverTest, FindsAFinWhoseAnswerIsDropped) {
  Open();
  wire_.local.Shell("iptables -P INPUT DROP");
  client_.Reset();
  EXPECT_TRUE(FindsStuck());
  EXPECT_EQ(Collect()->sockets->closing.front().timer, SocketTimer::kRetransmit);
}

TEST_F(ObserverTest, FindsOneBehindAClosedWindow) {
  Open();
  const std::string much(1 << 20, 'x');
  ::fcntl(client_.Get(), F_SETFL, O_NONBLOCK);
  while (::send(client_.Get(), much.data(), much.size(), MSG_NOSIGNAL) > 0) {
  }
  client_.Reset();
  EXPECT_TRUE(lab::Eventually([this] { return Closing() == 1; }));
}

TEST_F(ObserverTest, FindsOneThatItsProcessStillHolds) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Open();
  LoseEntry();
  ::shutdown(client_.Get(), SHUT_WR);
  EXPECT_TRUE(FindsStuck());
  EXPECT_FALSE(Collect()->sockets->closing.front().orphan);
}

TEST_F(ObserverTest, FindsOneOfIpv6) {
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer6, 80);
  wire_.local.Shell("ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  client_ = lab::Connect(wire_.local, lab::Wire::kPeer6, 80);
  server_ = listener.Accept();
  Collect();
  LoseEntry();
  client_.Reset();
  EXPECT_TRUE(FindsStuck());
  EXPECT_EQ(Collect()->sockets->closing.front().local.address.Family(), IpFamily::kIpv6);
}

TEST_F(ObserverTest, AConnectionThatClosesLeavesNothing) {
  Open();
  client_.Reset();
  server_.Reset();
  EXPECT_TRUE(lab::Eventually([this] {
    const auto seen = Collect();
    return seen && seen->sockets->open.IsEmpty() && seen->sockets->closing.empty();
  }));
}

TEST_F(ObserverTest, AConnectionKeepsItsCookieAndALaterOneHasAnother) {
  Open();
  const std::uint64_t cookie = Collect()->sockets->open.Cookie(0);
  EXPECT_NE(cookie >> 63, 0U);
  client_.Reset();
  EXPECT_TRUE(lab::Eventually([this] { return Collect()->sockets->open.IsEmpty(); }));
  server_.Reset();
  Open();
  EXPECT_NE(Collect()->sockets->open.Cookie(0), cookie);
}

TEST_F(ObserverTest, ANamespaceWithoutTrafficIsNotReadAgain) {
  Open();
  Collect();
  const auto read_at = Collect()->sockets->read_at;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Collect()->sockets->read_at, read_at);
  }
}

TEST(ObserverOfManyTest, WhatComesAndGoesLeavesNothing) {
  Observer observer("/proc");
  const auto look = [&] {
    ASSERT_TRUE(observer.Observe(Deadline::After(std::chrono::seconds(20)), std::chrono::seconds(20)));
  };
  std::uint64_t first = 0;
  for (int i = 0; i < 3; ++i) {
    const lab::Namespace where;
    Inhabitant inhabitant(where);
    std::uint64_t id = 0;
    // It is spawned first and enters its namespace then.
    ASSERT_TRUE(lab::Eventually([&] {
      look();
      for (const ObservedNamespace& one : observer.Namespaces()) {
        const auto pid = static_cast<std::uint32_t>(inhabitant.Pid());
        id = std::ranges::find(one.processes, pid) != one.processes.end() && one.processes.size() == 1 ? one.id : id;
      }
      return id != 0;
    }));
    EXPECT_GT(id, first) << "an id is never used twice";
    first = id;
    inhabitant.End();
    look();
    EXPECT_TRUE(
        std::ranges::none_of(observer.Namespaces(), [&](const ObservedNamespace& one) { return one.id == id; }));
  }
  EXPECT_EQ(observer.Held(), 0U);
}

}  // namespace
}  // namespace finwait::kernel::namespaces
