#include "collectors/sources/entry_timeout.h"

#include <gtest/gtest.h>

namespace finwait::sources {
namespace {

using std::chrono::seconds;
constexpr auto kUp = kernel::ConntrackTcpState::kEstablished;

class EntryTimeoutTest : public testing::Test {
 protected:
  EntryTimeoutTest() {
    Set(ConntrackTcpTimeout::kEstablished, seconds(432'000));
    Set(ConntrackTcpTimeout::kMaxRetrans, seconds(300));
    Set(ConntrackTcpTimeout::kUnacknowledged, seconds(300));
  }
  void Set(ConntrackTcpTimeout which, seconds timeout) {
    sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(which)] = timeout;
  }
  SysctlSample sysctl_;
};

TEST_F(EntryTimeoutTest, IsTheSysctlsWhereThatMayBe) {
  const EntryTimeout spoke_just_now(431'999, seconds(432'000));
  EXPECT_FALSE(spoke_just_now.IsOwn(kUp, sysctl_));
  EXPECT_EQ(spoke_just_now.Length(seconds(432'000)), seconds(432'000));
  const EntryTimeout refreshed_by_the_peer(431'000, seconds(500'000));
  EXPECT_FALSE(refreshed_by_the_peer.IsOwn(kUp, sysctl_)) << "its keepalives leave no trace in the socket";
  EXPECT_EQ(refreshed_by_the_peer.Length(seconds(432'000)), seconds(432'000));
}

TEST_F(EntryTimeoutTest, IsItsOwnWhereTheSysctlCannotHaveGivenIt) {
  const EntryTimeout shorter(99, seconds(100));
  EXPECT_TRUE(shorter.IsOwn(kUp, sysctl_));
  EXPECT_EQ(shorter.Length(seconds(432'000)), seconds(100));
  const EntryTimeout longer(863'990, seconds(864'000));
  EXPECT_TRUE(longer.IsOwn(kUp, sysctl_));
  EXPECT_EQ(longer.Length(seconds(432'000)), seconds(864'000));
}

TEST_F(EntryTimeoutTest, IsNoPolicysWhileDataIsUnacknowledged) {
  const EntryTimeout in_flight(299, seconds(300));
  EXPECT_FALSE(in_flight.IsOwn(kUp, sysctl_));
  EXPECT_EQ(in_flight.Length(seconds(432'000)), seconds(300)) << "nor is it near its end";
}

TEST_F(EntryTimeoutTest, OfASocketThatDoesNotTellItsSilenceTheSysctlIsAllThereIs) {
  const EntryTimeout silent(99, std::nullopt);
  EXPECT_FALSE(silent.IsOwn(kUp, sysctl_));
  EXPECT_EQ(silent.Length(seconds(432'000)), seconds(432'000));
  EXPECT_EQ(silent.Length(std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace finwait::sources
