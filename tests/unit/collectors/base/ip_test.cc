#include "collectors/base/ip.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

unsigned Common(const std::string& one, const std::string& other) {
  return IpAddress::Parse(one)->CommonPrefix(*IpAddress::Parse(other));
}

TEST(IpAddressTest, TheCommonPrefixCountsLeadingBits) {
  EXPECT_EQ(Common("192.0.2.1", "192.0.2.1"), 32U);
  EXPECT_EQ(Common("192.0.2.1", "192.0.2.0"), 31U);
  EXPECT_EQ(Common("192.0.2.0", "192.0.3.255"), 23U);
  EXPECT_EQ(Common("0.0.0.0", "128.0.0.0"), 0U);
  EXPECT_EQ(Common("2001:db8::1", "2001:db8::1"), 128U);
  EXPECT_EQ(Common("2001:db8::", "2001:db8:8000::"), 32U);
}

TEST(IpAddressTest, AddressesOfTwoFamiliesHaveNothingInCommon) { EXPECT_EQ(Common("0.0.0.0", "::"), 0U); }

}  // namespace
}  // namespace finwait
