#include "collectors/sources/own_timeouts.h"

#include <gtest/gtest.h>

namespace finwait::sources {
namespace {

using std::chrono::seconds;

kernel::TcpSocket Socket(std::uint16_t port, std::uint32_t remaining, seconds idle) {
  kernel::TcpSocket socket;
  socket.cookie = port;
  socket.local = *Endpoint::Parse("192.0.2.1:" + std::to_string(port));
  socket.peer = *Endpoint::Parse("192.0.2.2:80");
  socket.idle = idle;
  socket.entry.tracking = kernel::Tracking::kTracked;
  socket.entry.state = kernel::ConntrackTcpState::kEstablished;
  socket.entry.remaining_seconds = remaining;
  return socket;
}

SysctlSample Settings() {
  SysctlSample settings;
  const auto set = [&](ConntrackTcpTimeout which, int timeout) {
    settings.conntrack_tcp_timeouts[static_cast<std::size_t>(which)] = seconds(timeout);
  };
  set(ConntrackTcpTimeout::kEstablished, 432'000);
  set(ConntrackTcpTimeout::kCloseWait, 60);
  set(ConntrackTcpTimeout::kUnacknowledged, 300);
  return settings;
}

TEST(OwnTimeoutsOfEntries, AreThoseThatNoSysctlCanHaveGiven) {
  const OwnTimeouts timeouts(
      {Socket(1, 99, seconds(0)), Socket(2, 431'000, seconds(1000)), Socket(3, 60, seconds(40)),
       Socket(4, 431'000, seconds(500'000)), Socket(5, 500'000, seconds(0)), Socket(6, 298, seconds(1))},
      Settings());
  const auto find = [&](const char* source) {
    return timeouts.Find(*Endpoint::Parse(source), *Endpoint::Parse("192.0.2.2:80"));
  };
  EXPECT_EQ(find("192.0.2.1:1"), 99U);
  EXPECT_EQ(find("192.0.2.1:2"), std::nullopt);
  EXPECT_EQ(find("192.0.2.1:3"), 100U);
  EXPECT_EQ(find("192.0.2.1:4"), std::nullopt) << "the peer's keepalives leave no trace in the socket";
  EXPECT_EQ(find("192.0.2.1:5"), 500'000U);
  EXPECT_EQ(find("192.0.2.1:6"), std::nullopt) << "data is on its way: no policy's";
}

TEST(OwnTimeoutsOfEntries, AreUnknownWithoutTheSysctl) {
  EXPECT_TRUE(OwnTimeouts({Socket(1, 99, seconds(0))}, {}).IsEmpty());
  EXPECT_TRUE(OwnTimeouts().IsEmpty());
}

}  // namespace
}  // namespace finwait::sources
