#include "collectors/firewall/packet/connection.h"

#include <gtest/gtest.h>

#include "collectors/firewall/packet/packet.h"

namespace finwait::firewall::packet {
namespace {

bool MayComeFrom(const Connection& connection, Wide address) {
  const Packet packet = MakePacket(connection, PacketKind::kFin);
  return !packet.Domain(Field::kSourceAddress).Intersection(IntervalSet::Between(address, address)).Empty();
}

TEST(ConnectionTest, AnUnknownEndMayHaveEveryAddressThatLinuxTakesForUnicast) {
  const Connection any;
  EXPECT_TRUE(MayComeFrom(any, 0x00010203)) << "0.1.2.3";
  EXPECT_TRUE(MayComeFrom(any, 0xc0000201)) << "192.0.2.1";
  EXPECT_TRUE(MayComeFrom(any, 0xf0000001)) << "240.0.0.1";
  EXPECT_FALSE(MayComeFrom(any, 0)) << "0.0.0.0";
  EXPECT_FALSE(MayComeFrom(any, 0x7f000001)) << "127.0.0.1";
  EXPECT_FALSE(MayComeFrom(any, 0xe0000001)) << "224.0.0.1";
  EXPECT_FALSE(MayComeFrom(any, 0xffffffff)) << "255.255.255.255";
}

TEST(ConnectionTest, TheRepresentativeFlowIsNotOfReservedNetworks) {
  const Connection flow = RepresentativeFlow(IpFamily::kIpv4);
  EXPECT_TRUE(MayComeFrom(flow, 0xc0000201)) << "192.0.2.1";
  EXPECT_FALSE(MayComeFrom(flow, 0x00010203)) << "0.1.2.3";
  EXPECT_FALSE(MayComeFrom(flow, 0xf0000001)) << "240.0.0.1";
}

}  // namespace
}  // namespace finwait::firewall::packet
