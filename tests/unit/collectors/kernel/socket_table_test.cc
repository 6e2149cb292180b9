#include "collectors/kernel/live_socket_list.h"

#include <gtest/gtest.h>

#include <string>

#include "collectors/kernel/live_socket_index.h"

namespace finwait::kernel {
namespace {

LiveSocket Socket(std::uint64_t number, IpFamily family = IpFamily::kIpv4) {
  LiveSocket socket;
  socket.cookie = number;
  const std::string port = ":" + std::to_string(1024 + number % 60000);
  socket.local = *Endpoint::Parse((family == IpFamily::kIpv4 ? "192.0.2.1" : "[2001:db8::1]") + port);
  socket.peer = *Endpoint::Parse((family == IpFamily::kIpv4 ? "198.51.100.7" : "[2001:db8::7]") + port);
  return socket;
}

// With every field other than its default.
LiveSocket Tracked(std::uint64_t number, IpFamily family) {
  LiveSocket socket = Socket(number, family);
  socket.state = TcpState::kLastAck;
  socket.tracking = Tracking::kTracked;
  socket.source_nat = true;
  socket.destination_nat = true;
  socket.translation = std::make_shared<const Translation>(Translation{socket.peer, socket.local});
  socket.entry_state = ConntrackTcpState::kSynSent2;
  socket.remaining_seconds = 432'000;
  socket.uid = 4'294'967'294;
  socket.keepalive_due = std::chrono::milliseconds(7'200'000);
  return socket;
}

void ExpectSame(const LiveSocket& a, const LiveSocket& b) {
  EXPECT_EQ(a.cookie, b.cookie);
  EXPECT_EQ(a.local.Text(), b.local.Text());
  EXPECT_EQ(a.peer.Text(), b.peer.Text());
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.tracking, b.tracking);
  EXPECT_EQ(a.source_nat, b.source_nat);
  EXPECT_EQ(a.destination_nat, b.destination_nat);
  EXPECT_EQ(a.translation, b.translation);
  EXPECT_EQ(a.entry_state, b.entry_state);
  EXPECT_EQ(a.remaining_seconds, b.remaining_seconds);
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.keepalive_due, b.keepalive_due);
}

TEST(LiveSocketListTest, GivesBackWhatWasPutIn) {
  const std::vector<LiveSocket> sockets = {Socket(1), Tracked(2, IpFamily::kIpv6), Tracked(3, IpFamily::kIpv4),
                                           Socket(4, IpFamily::kIpv6)};
  const LiveSocketList list(sockets);
  ASSERT_EQ(list.Size(), sockets.size());
  std::size_t i = 0;
  for (const LiveSocket& socket : list) {
    ExpectSame(socket, sockets[i]);
    EXPECT_EQ(list.Cookie(i), sockets[i].cookie);
    EXPECT_EQ(list.TrackingOf(i), sockets[i].tracking);
    ++i;
  }
  EXPECT_EQ(i, sockets.size());
}

TEST(LiveSocketListTest, TellsTimesAsLongAsTheKernelKnowsThem) {
  LiveSocket longest = Tracked(1, IpFamily::kIpv4);
  longest.remaining_seconds = 0x7fffffff / 100;                          // INT_MAX jiffies at 100 a second
  longest.keepalive_due = std::chrono::milliseconds(46LL * 86'400'000);  // tcp_keepalive_time=3974400
  LiveSocket shortest = Tracked(2, IpFamily::kIpv4);
  shortest.remaining_seconds = 0;
  shortest.keepalive_due = std::chrono::milliseconds(0);
  LiveSocket uneven = Tracked(3, IpFamily::kIpv4);
  uneven.keepalive_due = std::chrono::milliseconds(7'199'999);
  LiveSocketList list = {longest, shortest, uneven};
  ExpectSame(list[0], longest);
  ExpectSame(list[1], shortest);
  EXPECT_EQ(list[2].keepalive_due, std::chrono::milliseconds(7'199'938)) << "rounded down to a sixteenth of a second";
  list.Replace(2, list[2]);
  EXPECT_EQ(list[2].keepalive_due, std::chrono::milliseconds(7'199'938)) << "once, not each time";
}

TEST(LiveSocketListTest, AnEntryThatGoesTakesItsTranslationWithIt) {
  LiveSocketList list = {Tracked(1, IpFamily::kIpv4), Tracked(2, IpFamily::kIpv6)};
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv4), 1U);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv6), 1U);
  list.Replace(0, Socket(1));
  ExpectSame(list[0], Socket(1));
  EXPECT_NE(list[1].translation, nullptr);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv4), 0U);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv6), 1U);
}

TEST(LiveSocketListTest, KeepsApartTensOfThousandsOfBothFamilies) {
  LiveSocketList list;
  constexpr std::uint64_t kMany = 20'001;  // several blocks
  const auto family = [](std::uint64_t i) { return i % 3 == 0 ? IpFamily::kIpv6 : IpFamily::kIpv4; };
  for (std::uint64_t i = 0; i < kMany; ++i) {
    list.Add(Socket(i, family(i)));
  }
  const LiveSocketIndex index(list);
  for (std::uint64_t i = 0; i < kMany; ++i) {
    const LiveSocket socket = Socket(i, family(i));
    ExpectSame(list[i], socket);
    EXPECT_EQ(index.Find(socket.local, socket.peer), i);
    EXPECT_FALSE(index.Find(socket.peer, socket.local));
  }
}

TEST(LiveSocketListTest, WhatIsShortenedGrowsAgainAsIfItHadNeverBeenLonger) {
  LiveSocketList list;
  for (std::uint64_t i = 0; i < 9000; ++i) {
    list.Add(Tracked(i, i % 2 == 0 ? IpFamily::kIpv6 : IpFamily::kIpv4));
  }
  list.Shorten(4095);
  EXPECT_EQ(list.Size(), 4095U);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv6), 2048U);
  for (std::uint64_t i = 4095; i < 9000; ++i) {
    list.Add(Socket(i, IpFamily::kIpv6));
  }
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv6), 2048U);
  for (const std::uint64_t i : {0, 4094}) {
    EXPECT_EQ(list[i].peer.Text(), Tracked(i, IpFamily::kIpv6).peer.Text());
    EXPECT_NE(list[i].translation, nullptr);
  }
  for (const std::uint64_t i : {4095, 4096, 8999}) {
    ExpectSame(list[i], Socket(i, IpFamily::kIpv6));
  }
}

}  // namespace
}  // namespace finwait::kernel
