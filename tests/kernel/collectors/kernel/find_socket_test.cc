// Sockets found by their ends, with what the kernel knows of them.
#include "collectors/kernel/find_socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::kernel {
namespace {

TEST(FindSocketTest, ManyAreFoundTogetherThoseBoundToADeviceToo) {
  const lab::Wire wire;
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  constexpr std::size_t kSockets = 70;
  const std::vector<UniqueFd> ends = lab::ConnectMany(kSockets, wire.local, lab::Wire::kPeer4, 80, listener);
  std::vector<SocketEnds> wanted;
  for (std::size_t i = 0; i < kSockets; ++i) {
    wanted.push_back({*Endpoint::Parse(lab::LocalEndpoint(ends[2 * i])), *Endpoint::Parse("192.0.2.2:80")});
  }
  const int mark = 0x77;
  ASSERT_EQ(::setsockopt(ends[0].Get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
  wire.local.Run([&] { ASSERT_EQ(::setsockopt(ends[2].Get(), SOL_SOCKET, SO_BINDTODEVICE, "veth0", 6), 0); });
  wanted.push_back({*Endpoint::Parse("192.0.2.1:9"), *Endpoint::Parse("192.0.2.2:80")});
  wire.local.Run([&] {
    const auto found = FindSockets(lab::HostHere(), wanted, Deadline::After(std::chrono::seconds(5)));
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(found->size(), kSockets + 1);
    EXPECT_EQ(std::count_if(found->begin(), found->end(), [](const auto& one) { return one.has_value(); }), kSockets);
    EXPECT_EQ((*found)[0]->mark, 0x77U);
    EXPECT_EQ((*found)[1]->mark, 0U);
    EXPECT_NE((*found)[1]->device, 0U);
    EXPECT_EQ((*found)[2]->device, 0U);
    EXPECT_EQ((*found)[2]->opened_here, true);
    EXPECT_EQ((*found)[2]->timestamps, true);
    EXPECT_EQ((*found)[2]->transparent, false);
    EXPECT_EQ((*found)[2]->class_or_priority, 0U);
    EXPECT_FALSE(found->back().has_value()) << "there is no such connection";
  });
}

}  // namespace
}  // namespace finwait::kernel
