#include "collectors/sources/sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <map>
#include <sstream>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::sources {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Wire;

SocketsSample CollectSockets(const lab::Namespace& where) {
  return lab::Collect<SocketsSample, SocketsCollector>(where, Pacer(std::chrono::seconds(5), 1));
}

// What `ss` counts, by family on the wire and by its own state names.
std::map<std::string, std::uint64_t> CountBySs(const lab::Namespace& where) {
  std::map<std::string, std::uint64_t> counts;
  std::istringstream lines(where.Shell("ss -Htan"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string state;
    std::string receive_queue;
    std::string send_queue;
    std::string local;
    fields >> state >> receive_queue >> send_queue >> local;
    const bool ipv6 = (local.starts_with("[") && !local.starts_with("[::ffff:")) || local.starts_with("*:");
    ++counts[(ipv6 ? "ipv6 " : "ipv4 ") + state];
  }
  return counts;
}

std::map<std::string, std::uint64_t> CountOfSockets(const lab::Namespace& where) {
  const std::map<kernel::TcpState, std::string> names = {
      {kernel::TcpState::kListen, "LISTEN"},        {kernel::TcpState::kSynSent, "SYN-SENT"},
      {kernel::TcpState::kSynReceived, "SYN-RECV"}, {kernel::TcpState::kEstablished, "ESTAB"},
      {kernel::TcpState::kFinWait1, "FIN-WAIT-1"},  {kernel::TcpState::kFinWait2, "FIN-WAIT-2"},
      {kernel::TcpState::kCloseWait, "CLOSE-WAIT"}, {kernel::TcpState::kClosing, "CLOSING"},
      {kernel::TcpState::kLastAck, "LAST-ACK"},     {kernel::TcpState::kTimeWait, "TIME-WAIT"}};
  std::map<std::string, std::uint64_t> counts;
  const SocketsSample sample = CollectSockets(where);
  for (const IpFamily family : kIpFamilies) {
    for (const auto& [state, name] : names) {
      const auto number = sample.counts[family][static_cast<std::size_t>(state)];
      if (number > 0) {
        counts[std::string(Name(family)) + " " + name] = number;
      }
    }
  }
  return counts;
}

TEST(SocketsTest, CountsEverySocketByStateAndFamilyAsSsDoes) {
  const Wire wire;
  const Listener four(wire.peer, Wire::kPeer4, 80);
  const Listener six(wire.peer, Wire::kPeer6, 80);
  const Listener dual(wire.local, "::", 81);  // its IPv4 clients have IPv4-mapped addresses
  std::vector<UniqueFd> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(Connect(wire.local, Wire::kPeer4, 80));
    held.push_back(four.Accept());
  }
  held.push_back(Connect(wire.local, Wire::kPeer6, 80));
  held.push_back(six.Accept());
  held.push_back(Connect(wire.peer, Wire::kLocal4, 81));
  held.push_back(dual.Accept());
  held.push_back(Connect(wire.local, Wire::kPeer4, 80));
  {
    const UniqueFd closed_by_peer = four.Accept();  // leaves CLOSE_WAIT here and FIN_WAIT_2 there
  }
  {
    UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);  // leaves TIME_WAIT here
    const UniqueFd server = four.Accept();
    client.Reset();
  }
  ASSERT_TRUE(Eventually([&] { return CountBySs(wire.local).count("ipv4 TIME-WAIT") == 1; }));
  EXPECT_EQ(CountOfSockets(wire.local), CountBySs(wire.local));
  EXPECT_EQ(CountOfSockets(wire.peer), CountBySs(wire.peer));
  EXPECT_GE(CountBySs(wire.local).size(), 5U) << "the lab made too few kinds of sockets to prove anything";
}

struct Drop {
  const char* name;
  const char* local;
  const char* peer;
  const char* rule;
};

class UnsentFin : public testing::TestWithParam<Drop> {};

TEST_P(UnsentFin, IsAnOrphanInFinWait1WithTheProbeTimerAndAnOpenWindow) {
  const Drop& drop = GetParam();
  const Wire wire;
  wire.local.Shell(drop.rule);
  const Listener listener(wire.peer, drop.peer, 80);
  UniqueFd client = Connect(wire.local, drop.peer, 80);
  const UniqueFd server = listener.Accept();
  const std::string local = lab::LocalEndpoint(client);
  const std::string peer = lab::PeerEndpoint(client);
  EXPECT_TRUE(CollectSockets(wire.local).closing.empty());
  wire.local.Shell("conntrack -F 2>/dev/null");
  client.Reset();

  ASSERT_TRUE(Eventually([&] {
    const SocketsSample sample = CollectSockets(wire.local);
    return sample.closing.size() == 1 && sample.closing[0].tries >= 2;
  }));
  const SocketsSample sample = CollectSockets(wire.local);
  const kernel::TcpSocket& socket = sample.closing.at(0);
  EXPECT_EQ(socket.state, kernel::TcpState::kFinWait1);
  EXPECT_EQ(socket.timer, kernel::SocketTimer::kProbe);
  EXPECT_TRUE(socket.orphan);
  EXPECT_EQ(socket.unsent, 1U);
  EXPECT_GT(socket.send_window.value_or(0), 0U);
  EXPECT_EQ(socket.local.Text(), local);
  EXPECT_EQ(socket.peer.Text(), peer);
  EXPECT_EQ(sample.orphans[static_cast<std::size_t>(kernel::TcpState::kFinWait1)], 1U);
  EXPECT_GT(socket.minimum_age.count(), 0);
}

INSTANTIATE_TEST_SUITE_P(EveryFamily, UnsentFin,
                         testing::Values(Drop{"ipv4", Wire::kLocal4, Wire::kPeer4,
                                              "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
                                         Drop{"ipv6", Wire::kLocal6, Wire::kPeer6,
                                              "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"}),
                         [](const auto& one) { return one.param.name; });

TEST(SocketsTest, AnUnansweredFinHasTheRetransmitTimer) {
  const Wire wire;
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  wire.peer.Shell("iptables -A INPUT -j DROP");
  client.Reset();
  ASSERT_TRUE(Eventually([&] {
    const SocketsSample sample = CollectSockets(wire.local);
    return sample.closing.size() == 1 && sample.closing[0].tries >= 2;
  }));
  const kernel::TcpSocket socket = CollectSockets(wire.local).closing.at(0);
  EXPECT_EQ(socket.timer, kernel::SocketTimer::kRetransmit);
  EXPECT_EQ(socket.unacknowledged, 1U);
  EXPECT_EQ(socket.unsent, 0U);
}

TEST(SocketsTest, AClosedWindowIsToldFromALostFin) {
  const Wire wire;
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();  // never reads
  ::fcntl(client.Get(), F_SETFL, O_NONBLOCK);
  const std::string block(65536, 'x');
  while (::write(client.Get(), block.data(), block.size()) > 0) {
  }
  client.Reset();
  ASSERT_TRUE(Eventually(
      [&] {
        const SocketsSample sample = CollectSockets(wire.local);
        return sample.closing.size() == 1 && sample.closing[0].send_window == 0U && sample.closing[0].tries >= 2;
      },
      20));
  EXPECT_EQ(CollectSockets(wire.local).closing.at(0).timer, kernel::SocketTimer::kProbe);
  EXPECT_GT(CollectSockets(wire.local).closing.at(0).unsent.value_or(0), 1U);
}

TEST(SocketsTest, ListsUnfinishedSocketsWhereConntrackMayNotBeAsked) {
  const Wire wire;
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  EXPECT_FALSE(CollectSockets(wire.local).lists_unfinished) << "`tracking` does";
  wire.local.Run([] {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2] = {};
    ASSERT_EQ(::syscall(SYS_capset, &header, none), 0);  // of this thread alone
    SocketsCollector collector(lab::HostHere(), Pacer(std::chrono::seconds(5), 1));
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(10)));
    ASSERT_TRUE(collected);
    const auto& sample = dynamic_cast<const SocketsSample&>(*collected->data);
    EXPECT_TRUE(sample.lists_unfinished);
    ASSERT_EQ(sample.unfinished.Size(), 1U);
    const kernel::TcpSocket socket = sample.unfinished[0];
    EXPECT_EQ(socket.state, kernel::TcpState::kEstablished);
    EXPECT_TRUE(socket.idle.has_value());
    EXPECT_EQ(socket.entry.tracking, kernel::Tracking::kUnknown);
  });
}

TEST(SocketsTest, WorksWithoutIpv6) {
  const Wire wire;
  wire.local.Sysctl("net.ipv6.conf.all.disable_ipv6", "1");
  const Listener listener(wire.local, "127.0.0.1", 80);
  EXPECT_EQ(CountOfSockets(wire.local), (std::map<std::string, std::uint64_t>{{"ipv4 LISTEN", 1}}));
}

}  // namespace
}  // namespace finwait::sources
