#include "collectors/firewall/model/rule_id.h"

#include <gtest/gtest.h>

namespace finwait::firewall {
namespace {

TEST(RuleIdTest, NamesARuleByTheToolThatKeepsIt) {
  EXPECT_EQ(Describe(RuleId{Backend::kLegacy, Dialect::kIptables, TableFamily::kIpv6, "mangle", "OUTPUT", {}, 3}),
            "ip6tables-legacy table mangle, chain OUTPUT, rule 3");
  EXPECT_EQ(Describe(RuleId{Backend::kNft, Dialect::kIptables, TableFamily::kIpv4, "filter", "ufw-input", 12, {}}),
            "iptables-nft table filter, chain ufw-input, handle 12");
  EXPECT_EQ(Describe(RuleId{Backend::kNft, Dialect::kNft, TableFamily::kIpv4, "filter", "OUTPUT", 4, {}}),
            "nft table ip filter, chain OUTPUT, handle 4");
}

TEST(RuleIdTest, NamesAPolicyAsSuch) {
  const RuleId policy{Backend::kNft, Dialect::kNft, TableFamily::kInet, "fw", "out", {}, {}};
  EXPECT_TRUE(policy.IsPolicy());
  EXPECT_EQ(Describe(policy), "the policy of nft table inet fw, chain out");
}

}  // namespace
}  // namespace finwait::firewall
