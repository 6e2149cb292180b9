#include "collectors/firewall/analysis/rule_identity.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace finwait::firewall::analysis {
namespace {

// A chain of iptables-legacy with rules that differ by the chain that they jump to.
Chain ChainOf(const std::vector<std::string>& targets) {
  Chain chain;
  chain.name = "OUTPUT";
  for (const std::string& target : targets) {
    Rule rule;
    rule.index = static_cast<std::uint32_t>(chain.rules.size() + 1);
    rule.expressions.emplace_back(VerdictStatement{Verdict{.kind = Verdict::Kind::kJump, .chain = target}});
    chain.rules.push_back(std::move(rule));
  }
  return chain;
}

TEST(RuleIdentity, EqualRulesAreToldApartByTheirOrderAlone) {
  Table table;
  table.backend = Backend::kLegacy;
  table.name = "filter";
  const Chain before = ChainOf({"a", "b", "a"});
  const Chain after = ChainOf({"new", "a", "new", "b", "a"});
  RuleIdentities old_ones(table, before);
  RuleIdentities new_ones(table, after);
  EXPECT_EQ(old_ones.Of(before.rules[0]), new_ones.Of(after.rules[1]));
  EXPECT_EQ(old_ones.Of(before.rules[1]), new_ones.Of(after.rules[3]));
  EXPECT_EQ(old_ones.Of(before.rules[2]), new_ones.Of(after.rules[4]));
  std::set<std::string> all;
  for (const Rule& rule : after.rules) {
    all.insert(new_ones.Of(rule));
  }
  EXPECT_EQ(all.size(), after.rules.size());
}

TEST(RuleIdentity, OfAnNftRuleIsItsHandle) {
  Table table;
  table.name = "filter";
  Chain chain = ChainOf({"a"});
  chain.rules[0].handle = 7;
  EXPECT_EQ(RuleIdentities(table, chain).Of(chain.rules[0]), "nft ip filter handle 7");
}

}  // namespace
}  // namespace finwait::firewall::analysis
