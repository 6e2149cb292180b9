// Sockets found by their ends, with what the kernel knows of them.
#include "collectors/kernel/find_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

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

// How long its packets are is then not known by timestamps alone.
TEST(FindSocketTest, OfASocketWithATcpMd5KeyTimestampsAreNotTold) {
  const lab::Wire wire;
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  const UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer4, 80);
  const std::vector<SocketEnds> wanted = {
      {*Endpoint::Parse(lab::LocalEndpoint(client)), *Endpoint::Parse("192.0.2.2:80")}};
  const auto timestamps = [&] {
    std::optional<bool> told;
    wire.local.Run([&] {
      const auto found = FindSockets(lab::HostHere(), wanted, Deadline::After(std::chrono::seconds(5)));
      ASSERT_TRUE(found && found->front());
      told = found->front()->timestamps;
    });
    return told;
  };
  EXPECT_EQ(timestamps(), true);
  tcp_md5sig key = {};
  auto* peer = reinterpret_cast<sockaddr_in*>(&key.tcpm_addr);
  peer->sin_family = AF_INET;
  ASSERT_EQ(::inet_pton(AF_INET, lab::Wire::kPeer4, &peer->sin_addr), 1);
  key.tcpm_keylen = 3;
  std::memcpy(key.tcpm_key, "key", 3);
  ASSERT_EQ(::setsockopt(client.Get(), IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key), 0);
  EXPECT_EQ(timestamps(), std::nullopt);
}

}  // namespace
}  // namespace finwait::kernel
