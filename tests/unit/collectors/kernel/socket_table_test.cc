#include "collectors/kernel/socket_table.h"

#include <gtest/gtest.h>

#include <string>

#include "collectors/kernel/socket_index.h"

namespace finwait::kernel {
namespace {

TcpSocket Socket(std::uint64_t number, IpFamily family = IpFamily::kIpv4) {
  TcpSocket socket;
  socket.cookie = number;
  const std::string port = ":" + std::to_string(1024 + number % 60000);
  socket.local = *Endpoint::Parse((family == IpFamily::kIpv4 ? "192.0.2.1" : "[2001:db8::1]") + port);
  socket.peer = *Endpoint::Parse((family == IpFamily::kIpv4 ? "198.51.100.7" : "[2001:db8::7]") + port);
  return socket;
}

void SetKeepalive(TcpSocket& socket, std::chrono::milliseconds due) {
  socket.timer = SocketTimer::kKeepalive;
  socket.timer_expires = due;
}

// With every field that a table keeps other than its default.
TcpSocket Tracked(std::uint64_t number, IpFamily family) {
  TcpSocket socket = Socket(number, family);
  socket.state = TcpState::kLastAck;
  socket.entry.tracking = Tracking::kTracked;
  socket.entry.source_nat = true;
  socket.entry.destination_nat = true;
  socket.entry.translation = std::make_shared<const Translation>(Translation{socket.peer, socket.local});
  socket.entry.state = ConntrackTcpState::kSynSent2;
  socket.entry.remaining_seconds = 432'000;
  socket.orphan = true;
  socket.uid = 4'294'967'294;
  socket.device = 4'294'967'295;
  socket.mark = 0;
  socket.cgroup_id = 0xffff'ffff'ffff'ffff;
  socket.type_of_service = 255;
  SetKeepalive(socket, std::chrono::milliseconds(7'200'000));
  socket.idle = std::chrono::seconds(4'000'000);
  socket.segments = 255;
  socket.opened_here = false;
  socket.has_queued = true;
  socket.multipath = true;
  return socket;
}

void ExpectSame(const TcpSocket& a, const TcpSocket& b) {
  EXPECT_EQ(a.cookie, b.cookie);
  EXPECT_EQ(a.local.Text(), b.local.Text());
  EXPECT_EQ(a.peer.Text(), b.peer.Text());
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.entry.tracking, b.entry.tracking);
  EXPECT_EQ(a.entry.source_nat, b.entry.source_nat);
  EXPECT_EQ(a.entry.destination_nat, b.entry.destination_nat);
  EXPECT_EQ(a.entry.translation, b.entry.translation);
  EXPECT_EQ(a.entry.state, b.entry.state);
  EXPECT_EQ(a.entry.remaining_seconds, b.entry.remaining_seconds);
  EXPECT_EQ(a.orphan, b.orphan);
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.mark, b.mark);
  EXPECT_EQ(a.cgroup_id, b.cgroup_id);
  EXPECT_EQ(a.type_of_service, b.type_of_service);
  EXPECT_EQ(a.KeepaliveDue(), b.KeepaliveDue());
  EXPECT_EQ(a.idle, b.idle);
  EXPECT_EQ(a.segments, b.segments);
  EXPECT_EQ(a.opened_here, b.opened_here);
  EXPECT_EQ(a.has_queued, b.has_queued);
  EXPECT_EQ(a.multipath, b.multipath);
}

TEST(SocketTableTest, GivesBackWhatWasPutIn) {
  const std::vector<TcpSocket> sockets = {Socket(1), Tracked(2, IpFamily::kIpv6), Tracked(3, IpFamily::kIpv4),
                                          Socket(4, IpFamily::kIpv6)};
  const SocketTable list(sockets);
  ASSERT_EQ(list.Size(), sockets.size());
  std::size_t i = 0;
  for (const TcpSocket& socket : list) {
    ExpectSame(socket, sockets[i]);
    EXPECT_EQ(list.Cookie(i), sockets[i].cookie);
    EXPECT_EQ(list.TrackingOf(i), sockets[i].entry.tracking);
    ++i;
  }
  EXPECT_EQ(i, sockets.size());
}

TEST(SocketTableTest, TellsTimesAsLongAsTheKernelKnowsThem) {
  TcpSocket longest = Tracked(1, IpFamily::kIpv4);
  longest.entry.remaining_seconds = 0x7fffffff / 100;                   // INT_MAX jiffies at 100 a second
  SetKeepalive(longest, std::chrono::milliseconds(24LL * 86'400'000));  // tcp_keepalive_time=2073600
  TcpSocket shortest = Tracked(2, IpFamily::kIpv4);
  shortest.entry.remaining_seconds = 0;
  SetKeepalive(shortest, std::chrono::milliseconds(0));
  TcpSocket uneven = Tracked(3, IpFamily::kIpv4);
  SetKeepalive(uneven, std::chrono::milliseconds(7'199'999));
  SocketTable list = {longest, shortest, uneven};
  ExpectSame(list[0], longest);
  ExpectSame(list[1], shortest);
  EXPECT_EQ(list[2].KeepaliveDue(), std::chrono::milliseconds(7'199'938)) << "rounded down to a sixteenth of a second";
  list = {list[2], list[2], list[2]};
  EXPECT_EQ(list[2].KeepaliveDue(), std::chrono::milliseconds(7'199'938)) << "once, not each time";
}

TEST(SocketTableTest, TellsTheThreeKindsOfTrackingApart) {
  SocketTable table = {Socket(1)};
  SocketEntry entry;
  for (const Tracking tracking : {Tracking::kUntracked, Tracking::kTracked, Tracking::kUnknown}) {
    entry.tracking = tracking;
    table.SetEntry(0, entry);
    EXPECT_EQ(table.TrackingOf(0), tracking);
    EXPECT_EQ(table[0].entry.tracking, tracking);
    EXPECT_EQ(table[0].entry.state, std::nullopt) << "also of an entry in a state that this program does not know";
    EXPECT_EQ(table.CountTracked(IpFamily::kIpv4), tracking == Tracking::kTracked ? 1U : 0U);
  }
}

TEST(SocketTableTest, KeepsApartSocketsThatDifferInTheirProgramOnly) {
  SocketTable table;
  constexpr std::uint32_t kMany = 5000;
  for (std::uint32_t i = 0; i < kMany; ++i) {
    TcpSocket socket = Socket(1);
    socket.uid = i % 7;
    socket.mark = i % 2 == 0 ? std::optional(i) : std::nullopt;
    socket.cgroup_id = i / 10;
    table.Add(socket);
  }
  for (std::uint32_t i = 0; i < kMany; ++i) {
    EXPECT_EQ(table[i].uid, i % 7);
    EXPECT_EQ(table[i].mark, i % 2 == 0 ? std::optional(i) : std::nullopt);
    EXPECT_EQ(table[i].cgroup_id, i / 10);
  }
}

TEST(SocketTableTest, AnEntryThatGoesTakesItsTranslationWithIt) {
  SocketTable list = {Tracked(1, IpFamily::kIpv4), Tracked(2, IpFamily::kIpv6)};
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv4), 1U);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv6), 1U);
  list.SetEntry(0, SocketEntry());
  EXPECT_EQ(list[0].entry.tracking, Tracking::kUnknown);
  EXPECT_EQ(list[0].entry.translation, nullptr);
  EXPECT_NE(list[1].entry.translation, nullptr);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv4), 0U);
  EXPECT_EQ(list.CountTracked(IpFamily::kIpv6), 1U);
}

TEST(SocketTableTest, KeepsApartTensOfThousandsOfBothFamilies) {
  SocketTable list;
  constexpr std::uint64_t kMany = 20'001;  // several blocks
  const auto family = [](std::uint64_t i) { return i % 3 == 0 ? IpFamily::kIpv6 : IpFamily::kIpv4; };
  for (std::uint64_t i = 0; i < kMany; ++i) {
    list.Add(Socket(i, family(i)));
  }
  const SocketIndex index(list);
  for (std::uint64_t i = 0; i < kMany; ++i) {
    const TcpSocket socket = Socket(i, family(i));
    ExpectSame(list[i], socket);
    EXPECT_EQ(index.Find(socket.local, socket.peer), i);
    EXPECT_FALSE(index.Find(socket.peer, socket.local));
  }
}

TEST(SocketTableTest, WhatIsShortenedGrowsAgainAsIfItHadNeverBeenLonger) {
  SocketTable list;
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
  for (const std::uint64_t i : {0U, 4094U}) {
    EXPECT_EQ(list[i].peer.Text(), Tracked(i, IpFamily::kIpv6).peer.Text());
    EXPECT_NE(list[i].entry.translation, nullptr);
  }
  for (const std::uint64_t i : {4095U, 4096U, 8999U}) {
    ExpectSame(list[i], Socket(i, IpFamily::kIpv6));
  }
}

}  // namespace
}  // namespace finwait::kernel
