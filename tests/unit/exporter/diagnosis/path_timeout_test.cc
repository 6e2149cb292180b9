#include "exporter/diagnosis/path_timeout.h"

#include <gtest/gtest.h>

#include <vector>

namespace finwait::diagnosis {
namespace {

PathTimeout Path(const std::string& address, std::size_t bits) {
  return {"", *IpAddress::Parse(address), bits, std::chrono::seconds(350)};
}
IpAddress Address(const std::string& text) { return *IpAddress::Parse(text); }

TEST(PathTimeoutTest, CoversItsNetworkAndNoOther) {
  const PathTimeout path = Path("198.51.100.64", 26);
  EXPECT_TRUE(path.Covers(Address("198.51.100.64")));
  EXPECT_TRUE(path.Covers(Address("198.51.100.127")));
  EXPECT_FALSE(path.Covers(Address("198.51.100.128")));
  EXPECT_FALSE(path.Covers(Address("198.51.100.63")));
  EXPECT_FALSE(path.Covers(Address("2001:db8::1")));
  EXPECT_TRUE(Path("0.0.0.0", 0).Covers(Address("203.0.113.9")));
  EXPECT_TRUE(Path("2001:db8::", 33).Covers(Address("2001:db8:7fff::1")));
  EXPECT_FALSE(Path("2001:db8::", 33).Covers(Address("2001:db8:8000::1")));
}

TEST(PathTimeoutTest, TellsANetworkFromAnAddressInIt) {
  EXPECT_TRUE(IsNetwork(Address("198.51.100.64"), 26));
  EXPECT_FALSE(IsNetwork(Address("198.51.100.65"), 26));
  EXPECT_TRUE(IsNetwork(Address("198.51.100.65"), 32));
}

TEST(PathTimeoutTest, TheMostSpecificThatCoversAPeerLeadsToIt) {
  const std::vector<PathTimeout> paths = {Path("198.51.100.0", 24), Path("198.51.100.64", 26), Path("0.0.0.0", 0)};
  EXPECT_EQ(PathTo(Address("198.51.100.65"), paths), 1U);
  EXPECT_EQ(PathTo(Address("198.51.100.1"), paths), 0U);
  EXPECT_EQ(PathTo(Address("203.0.113.1"), paths), 2U);
  EXPECT_EQ(PathTo(Address("2001:db8::1"), paths), std::nullopt);
}

}  // namespace
}  // namespace finwait::diagnosis
