#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/model/ruleset.h"

/// Rulesets put together without a kernel, such as none would accept.
namespace finwait::firewall::eval {

inline VerdictStatement Says(Verdict::Kind kind, std::string chain = {}) {
  return VerdictStatement{Verdict{kind, std::move(chain)}};
}
inline VerdictStatement Drops() { return Says(Verdict::Kind::kDrop); }
inline VerdictStatement JumpsTo(std::string chain) { return Says(Verdict::Kind::kJump, std::move(chain)); }
inline VerdictStatement GoesTo(std::string chain) { return Says(Verdict::Kind::kGoto, std::move(chain)); }

inline Value ValueOf(std::initializer_list<unsigned> bytes) {
  Value value;
  for (const unsigned byte : bytes) {
    value.push_back(static_cast<std::byte>(byte));
  }
  return value;
}

/// One table; chains and sets are added to it.
class HandMadeTable {
 public:
  explicit HandMadeTable(Backend backend = Backend::kNft, TableFamily family = TableFamily::kInet) {
    table_.backend = backend;
    table_.dialect = backend == Backend::kLegacy ? Dialect::kIptables : Dialect::kNft;
    table_.family = family;
    table_.name = "t";
  }

  HandMadeTable& Base(std::string name, Hook hook, std::vector<std::vector<Expression>> rules, bool policy_drop = false,
                      std::int32_t priority = 0) {
    BaseChain base;
    base.hook = hook;
    base.priority = priority;
    base.policy_drop = policy_drop;
    return Add(std::move(name), std::move(rules), base);
  }
  /// A base chain of type nat.
  HandMadeTable& Nat(std::string name, Hook hook, std::vector<std::vector<Expression>> rules) {
    BaseChain base;
    base.hook = hook;
    base.type = ChainType::kNat;
    return Add(std::move(name), std::move(rules), base);
  }
  /// A base chain of type route.
  HandMadeTable& Routing(std::string name, Hook hook, std::vector<std::vector<Expression>> rules) {
    BaseChain base;
    base.hook = hook;
    base.type = ChainType::kRoute;
    return Add(std::move(name), std::move(rules), base);
  }
  HandMadeTable& Chain(std::string name, std::vector<std::vector<Expression>> rules) {
    return Add(std::move(name), std::move(rules), std::nullopt);
  }
  HandMadeTable& Holds(Set set) {
    std::string name = set.name;
    table_.sets[name] = std::make_shared<const Set>(std::move(set));
    return *this;
  }
  Ruleset AsRuleset() const {
    Ruleset ruleset;
    ruleset.tables.push_back(table_);
    return ruleset;
  }

 private:
  HandMadeTable& Add(std::string name, std::vector<std::vector<Expression>> rules, std::optional<BaseChain> base) {
    firewall::Chain chain;
    chain.name = name;
    chain.base = std::move(base);
    for (std::vector<Expression>& expressions : rules) {
      Rule rule;
      rule.index = static_cast<std::uint32_t>(chain.rules.size() + 1);
      rule.handle = rule.index;
      rule.expressions = std::move(expressions);
      chain.rules.push_back(std::move(rule));
    }
    table_.chains[name] = std::make_shared<const firewall::Chain>(std::move(chain));
    return *this;
  }

  Table table_;
};

}  // namespace finwait::firewall::eval
