#include "exporter/diagnosis/drop_place.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/fate.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait {
namespace {

using firewall::Backend;
using firewall::Hook;
using firewall::TableFamily;

TEST(DropPlaceTest, IsSaidInTheWordsOfTheToolThatKeepsIt) {
  DropPlace place;
  place.iptables = true;
  place.location = {Backend::kLegacy, TableFamily::kIpv6, "mangle", "OUTPUT", {}, 3};
  EXPECT_EQ(DescribePlace(place), "ip6tables-legacy table mangle, chain OUTPUT, rule 3");
  place.location = {Backend::kNft, TableFamily::kIpv4, "filter", "ufw-before-input", 12, {}};
  EXPECT_EQ(DescribePlace(place), "iptables-nft table filter, chain ufw-before-input, handle 12");
  place.iptables = false;
  place.location = {Backend::kNft, TableFamily::kInet, "fw", "out", {}, {}};
  EXPECT_TRUE(place.IsPolicy());
  EXPECT_EQ(DescribePlace(place), "the policy of nft table inet fw, chain out");
}

TEST(DropPlaceTest, OfALostPacketIsWhereItDiesAndOfAnyOtherThereIsNone) {
  CloseJudge judge(DropsAt({Hook::kOutput}), {true, {true, true}}, {});
  const auto lost = PlaceOf(judge.General(IpFamily::kIpv6, firewall::Journey::kLocal, firewall::PacketKind::kFin));
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->location.family, TableFamily::kIpv6);
  EXPECT_EQ(lost->location.chain, "OUTPUT");
  EXPECT_EQ(lost->hook, Hook::kOutput);
  EXPECT_FALSE(lost->rejects);
  EXPECT_FALSE(PlaceOf(judge.General(IpFamily::kIpv6, firewall::Journey::kLocal, firewall::PacketKind::kAck)));
  CloseJudge blind(UnreadableRules(), {true, {true, true}}, {});
  EXPECT_FALSE(PlaceOf(blind.General(IpFamily::kIpv4, firewall::Journey::kLocal, firewall::PacketKind::kFin)));
}

}  // namespace
}  // namespace finwait
