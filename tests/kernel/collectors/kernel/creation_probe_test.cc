#include "collectors/kernel/creation_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmath>
#include <string>

#include "collectors/base/unique_fd.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::kernel {
namespace {

using lab::Wire;

// An entry for each datagram: none has the ports of another.
void MakeEntries(int count) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  ::inet_pton(AF_INET, Wire::kPeer4, &peer.sin_addr);
  for (int i = 0; i < count; ++i) {
    peer.sin_port = htons(static_cast<std::uint16_t>(1024 + i));
    ASSERT_EQ(::sendto(socket.Get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&peer), sizeof peer), 1);
  }
}

struct CreationProbeTest : testing::Test {
  CreationProbeTest() {
    wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
    // No ICMP errors back.
    wire.peer.Shell("iptables -A INPUT -p udp -j DROP");
  }
  std::string EntriesNow() { return wire.local.Shell("conntrack -C"); }

  Wire wire;
};

TEST_F(CreationProbeTest, EstimatesHowManyEntriesAreMadeWhileItIsOpen) {
  constexpr int kMade = 8000;
  wire.local.Run([&] {
    const Host host = lab::HostHere();
    MakeEntries(1000);  // before it: not to be counted
    auto probe = CreationProbe::Start(host);
    ASSERT_TRUE(probe.has_value()) << probe.error().message;
    MakeEntries(kMade);
    const auto made = std::move(*probe).Finish();
    ASSERT_TRUE(made.has_value()) << made.error().message;
    // A random one in eight: six standard deviations, which a sound sample exceeds once in 500 million.
    EXPECT_NEAR(*made, kMade, 6 * std::sqrt(CreationProbe::kSampling * kMade));
    EXPECT_GT(*made, 0);
  });
  EXPECT_GE(std::stoi(EntriesNow()), kMade + 1000) << "the entries are real";
}

TEST_F(CreationProbeTest, CountsNothingWhereNothingIsMadeNorTheEndOfEntries) {
  wire.local.Run([&] {
    MakeEntries(500);
    auto probe = CreationProbe::Start(lab::HostHere());
    ASSERT_TRUE(probe.has_value()) << probe.error().message;
    wire.local.Shell("conntrack -F 2>/dev/null");
    const auto made = std::move(*probe).Finish();
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(*made, 0);
  });
  EXPECT_EQ(EntriesNow(), "0\n");
}

TEST_F(CreationProbeTest, MoreThanItHasRoomForIsNoFailure) {
  wire.local.Run([&] {
    Host host = lab::HostHere();
    host.open_events = [open = host.open_events](netlink::Subscription subscription) {
      subscription.receive_buffer_bytes = 1;  // the kernel's least: room for a few events
      return open(subscription);
    };
    auto probe = CreationProbe::Start(host);
    ASSERT_TRUE(probe.has_value()) << probe.error().message;
    MakeEntries(2000);
    const auto made = std::move(*probe).Finish();
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_GT(*made, 0);
    EXPECT_LT(*made, 1000);
  });
}

TEST_F(CreationProbeTest, DoesNotMakeAListenerForOtherEventsDeaf) {
  wire.local.Run([&] {
    const Host host = lab::HostHere();
    auto ears = host.open_events({NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_DESTROY}, {}, 4 * 1024 * 1024});
    ASSERT_TRUE(ears.has_value()) << ears.error().message;
    auto probe = CreationProbe::Start(host);
    ASSERT_TRUE(probe.has_value()) << probe.error().message;
    ASSERT_TRUE(std::move(*probe).Finish().has_value());
    // Made after the probe has gone: the kernel must still know that somebody listens.
    MakeEntries(100);
    wire.local.Shell("conntrack -F 2>/dev/null");
    int heard = 0;
    for (auto next = (*ears)->Next(); next && *next; next = (*ears)->Next()) {
      ++heard;
    }
    EXPECT_EQ(heard, 100);
  });
}

}  // namespace
}  // namespace finwait::kernel
