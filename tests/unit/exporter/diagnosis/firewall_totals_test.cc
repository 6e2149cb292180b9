#include "exporter/diagnosis/firewall_totals.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;

constexpr auto kOutput = static_cast<std::size_t>(Hook::kOutput);
constexpr auto kInput = static_cast<std::size_t>(Hook::kInput);

class FirewallTotalsTest : public testing::Test {
 protected:
  void Dropped(std::uint64_t by_rule, std::uint64_t by_policy) {
    sources::FirewallSample sample;
    sample.ruleset = std::make_shared<firewall::Ruleset>();
    firewall::analysis::InvalidDropRule rule;
    rule.identity = "rule";
    rule.families = {IpFamily::kIpv4, IpFamily::kIpv6};
    rule.hooks = {Hook::kInput, Hook::kOutput};
    rule.drops = firewall::Counter{by_rule, 0};
    sample.invalid_drops = {rule, {}};  // the second does not count
    firewall::analysis::PolicyDrop policy;
    policy.identity = "policy";
    policy.families = {IpFamily::kIpv4};
    policy.hook = Hook::kOutput;
    policy.drops = firewall::Counter{by_policy, 0};
    sample.policy_drops = {policy};
    host_.Set(sample);
  }
  std::optional<FirewallTotals> Totals() { return counters_.AddUp(*host_.Get()); }
  SnapshotBuilder host_ = SnapshotBuilder(std::make_shared<firewall::Ruleset>());
  FirewallCounters counters_;
};

TEST_F(FirewallTotalsTest, ARuleCountsForEachHookAndFamilyThatReachesIt) {
  Dropped(5, 7);
  const auto totals = Totals();
  ASSERT_TRUE(totals);
  for (const auto& family : totals->invalid_drops) {
    EXPECT_EQ(family[kInput], 5U);
    EXPECT_EQ(family[kOutput], 5U);
  }
  EXPECT_EQ(totals->policy_drops[0][kOutput], 7U);
  EXPECT_EQ(totals->policy_drops[1][kOutput], 0U);
}

TEST_F(FirewallTotalsTest, ASampleCountsOnceAndTheTotalsNeverFall) {
  Dropped(5, 7);
  Totals();
  EXPECT_EQ(Totals()->invalid_drops[0][kInput], 5U);
  Dropped(2, 8);  // the rule was replaced by one that counts anew
  EXPECT_EQ(Totals()->invalid_drops[0][kInput], 7U);
  EXPECT_EQ(Totals()->policy_drops[0][kOutput], 8U);
}

TEST_F(FirewallTotalsTest, AreAbsentWhileTheFirewallCannotBeRead) {
  Dropped(5, 7);
  Totals();
  host_.Fail<sources::FirewallSample>("CAP_NET_ADMIN is missing");
  EXPECT_FALSE(Totals());
  Dropped(6, 7);
  EXPECT_EQ(Totals()->invalid_drops[0][kInput], 6U);
}

}  // namespace
}  // namespace finwait::diagnosis
