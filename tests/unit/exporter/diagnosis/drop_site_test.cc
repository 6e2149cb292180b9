#include "exporter/diagnosis/drop_site.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/close_evaluator.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Backend;
using firewall::Hook;
using firewall::TableFamily;

TEST(DropSiteTest, IsSaidInTheWordsOfTheToolThatKeepsIt) {
  DropSite place;
  place.iptables = true;
  place.location = {Backend::kLegacy, TableFamily::kIpv6, "mangle", "OUTPUT", {}, 3};
  EXPECT_EQ(DescribeSite(place), "ip6tables-legacy table mangle, chain OUTPUT, rule 3");
  place.location = {Backend::kNft, TableFamily::kIpv4, "filter", "ufw-before-input", 12, {}};
  EXPECT_EQ(DescribeSite(place), "iptables-nft table filter, chain ufw-before-input, handle 12");
  place.iptables = false;
  place.location = {Backend::kNft, TableFamily::kInet, "fw", "out", {}, {}};
  EXPECT_TRUE(place.IsPolicy());
  EXPECT_EQ(DescribeSite(place), "the policy of nft table inet fw, chain out");
}

TEST(DropSiteTest, OfALostPacketIsWhereItDiesAndOfAnyOtherThereIsNone) {
  CloseEvaluator judge(DropsAt({Hook::kOutput}), {true, {true, true}}, {});
  const auto lost =
      SiteOf(judge.General(IpFamily::kIpv6, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kFin));
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->location.family, TableFamily::kIpv6);
  EXPECT_EQ(lost->location.chain, "OUTPUT");
  EXPECT_EQ(lost->hook, Hook::kOutput);
  EXPECT_FALSE(lost->rejects);
  EXPECT_FALSE(
      SiteOf(judge.General(IpFamily::kIpv6, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kAck)));
  CloseEvaluator blind(UnreadableRules(), {true, {true, true}}, {});
  EXPECT_FALSE(
      SiteOf(blind.General(IpFamily::kIpv4, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kFin)));
}

}  // namespace
}  // namespace finwait::diagnosis
