#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::analysis {

/// A hash of what a rule says: equal for equal rules, whatever they have counted and wherever they stand.
std::uint64_t HashRule(const Rule& rule);

/// Names that the rules of a chain keep from sample to sample. nft: the table and the handle. Legacy rules have no
/// handle: the table, the chain, HashRule, and which of its equals in the chain a rule is, so that rules inserted
/// before it do not change it. Each rule is hashed once, however many are asked for.
class RuleIdentities {
 public:
  /// Both must outlive this.
  RuleIdentities(const Table& table, const Chain& chain) : table_(table), chain_(chain) {}

  /// Of a rule of that chain.
  std::string Of(const Rule& rule);

 private:
  struct Numbered {
    std::uint64_t hash;
    std::size_t equals_before;
  };
  const Table& table_;
  const Chain& chain_;
  std::map<std::uint32_t, Numbered> by_index_;
};

/// The same for a base chain's policy.
std::string PolicyIdentity(const Table& table, const Chain& chain);

}  // namespace finwait::firewall::analysis
