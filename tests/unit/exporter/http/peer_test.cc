#include "exporter/http/peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace finwait::http {
namespace {

Peer PeerOf(const std::string& text) {
  sockaddr_storage address{};
  if (inet_pton(AF_INET, text.c_str(), &reinterpret_cast<sockaddr_in&>(address).sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &reinterpret_cast<sockaddr_in6&>(address).sin6_addr), 1) << text;
    address.ss_family = AF_INET6;
  }
  return Peer(address);
}

TEST(Peer, IsAnIpv4AddressOrAnIpv6Network) {
  EXPECT_EQ(PeerOf("192.0.2.1"), PeerOf("192.0.2.1"));
  EXPECT_NE(PeerOf("192.0.2.1"), PeerOf("192.0.2.2"));
  EXPECT_EQ(PeerOf("2001:db8:0:1::1"), PeerOf("2001:db8:0:1:ffff::2"));
  EXPECT_NE(PeerOf("2001:db8:0:1::1"), PeerOf("2001:db8:0:2::1"));
  EXPECT_EQ(PeerOf("::ffff:192.0.2.1"), PeerOf("192.0.2.1"));
  EXPECT_NE(PeerOf("c000:201::"), PeerOf("192.0.2.1")) << "the same bytes, another family";
}

}  // namespace
}  // namespace finwait::http
