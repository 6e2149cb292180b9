#include "collectors/kernel/ipsec_policies.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>

namespace finwait::kernel {
namespace {

Endpoint End(const std::string& text) { return *Endpoint::Parse(text); }

IpsecSelector Between(const std::string& source, unsigned source_bits, const std::string& destination,
                      unsigned destination_bits) {
  IpsecSelector selector;
  const IpAddress from = *IpAddress::Parse(source);
  const IpAddress to = *IpAddress::Parse(destination);
  selector.family = from.Family();
  std::ranges::copy(from.Bytes(), selector.source.begin());
  std::ranges::copy(to.Bytes(), selector.destination.begin());
  selector.source_bits = source_bits;
  selector.destination_bits = destination_bits;
  return selector;
}

TEST(IpsecSelectorTest, HoldsForNetworksInEitherDirection) {
  const IpsecSelector selector = Between("10.1.0.0", 16, "10.2.128.0", 17);
  EXPECT_TRUE(selector.MayBeFor(End("10.1.255.9:1"), End("10.2.128.1:2")));
  EXPECT_TRUE(selector.MayBeFor(End("10.2.255.1:2"), End("10.1.0.1:1")));
  EXPECT_FALSE(selector.MayBeFor(End("10.1.0.1:1"), End("10.2.127.1:2")));
  EXPECT_FALSE(selector.MayBeFor(End("10.1.0.1:1"), End("10.1.0.2:2")));
  EXPECT_FALSE(selector.MayBeFor(End("[2001:db8::1]:1"), End("[2001:db8::2]:2")));
}

TEST(IpsecSelectorTest, OfIpv6Too) {
  const IpsecSelector selector = Between("2001:db8::", 33, "::", 0);
  EXPECT_TRUE(selector.MayBeFor(End("[2001:db8:7fff::1]:1"), End("[2001:db9::2]:2")));
  EXPECT_FALSE(selector.MayBeFor(End("[2001:db8:8000::1]:1"), End("[2001:db9::2]:2")));
  EXPECT_TRUE(Between("2001:db8::1", 128, "2001:db8::2", 200).MayBeFor(End("[2001:db8::1]:1"), End("[2001:db8::2]:2")));
}

TEST(IpsecSelectorTest, MayAskForPortsAndAProtocol) {
  IpsecSelector selector = Between("0.0.0.0", 0, "0.0.0.0", 0);
  const auto is_for = [&] { return selector.MayBeFor(End("192.0.2.1:40000"), End("192.0.2.2:80")); };
  EXPECT_TRUE(is_for());
  selector.protocol = IPPROTO_UDP;
  EXPECT_FALSE(is_for());
  selector.protocol = IPPROTO_TCP;
  EXPECT_TRUE(is_for());
  selector.source_port = 80;
  selector.source_ports = 0xffff;
  EXPECT_TRUE(is_for()) << "of what the peer sends";
  selector.destination_port = 80;
  selector.destination_ports = 0xffff;
  EXPECT_FALSE(is_for());
  selector.destination_ports = 0;
  EXPECT_TRUE(is_for());
}

}  // namespace
}  // namespace finwait::kernel
