#include "exporter/planning/rules_identity.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "collectors/base/hash.h"
#include "collectors/codec/codec.h"
#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/model/references.h"
#include "collectors/firewall/xt/ipset_match.h"
#include "collectors/firewall/xt/registry.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::planning {
namespace {

using firewall::Chain;
using firewall::Contents;
using firewall::Reference;
using firewall::Set;
using firewall::Table;
using firewall::Value;
using firewall::facts::FactQuery;
using firewall::facts::Ipset;
using firewall::facts::IpsetContents;

constexpr std::size_t kMostChains = 20'000;

// Two hashes, from two starts: they have to tell rulesets apart.
class Hasher {
 public:
  template <typename T>
  void Add(const T& value) {
    codec::Encoder encoder;
    encoder.Put(value);
    for (Fnv1a& hash : hashes_) {
      hash.Add(encoder.Bytes());
    }
  }
  std::string Text() const { return std::to_string(hashes_[0].Hash()) + "-" + std::to_string(hashes_[1].Hash()); }

 private:
  std::array<Fnv1a, 2> hashes_ = {Fnv1a(), Fnv1a(0x84222325cbf29ce4)};
};

// All of one table that packets may come to.
class Reachable {
 public:
  Reachable(firewall::eval::ChainEvaluator& evaluator, FactQuery& query, const Table& table)
      : evaluator_(evaluator), query_(query), table_(table) {
    for (const auto& [name, chain] : table.chains) {
      if (chain->base) {
        Enter(name);
      }
    }
    while (!waiting_.empty() && says_all_) {
      const Chain* chain = waiting_.back();
      waiting_.pop_back();
      for (const firewall::Rule& rule : chain->rules) {
        Follow(rule);
      }
    }
  }

  // Whether rules and sets say all, and are not too many.
  bool SaysAll() const { return says_all_; }
  // Whether some are yet to be read.
  bool IsMissingSome() const { return missing_; }

  void AddTo(Hasher& hasher) const {
    if (std::all_of(chains_.begin(), chains_.end(), [](const auto& named) { return DoesNothing(*named.second); })) {
      return;
    }
    hasher.Add(table_.backend);
    hasher.Add(table_.family);
    hasher.Add(table_.name);
    hasher.Add(table_.dormant);
    for (const auto& [name, chain] : chains_) {
      if (!DoesNothing(*chain)) {
        hasher.Add(name);
        AddChain(*chain, hasher);
      }
    }
    for (const auto& [name, set] : sets_) {
      hasher.Add(name);
      AddSet(*set, hasher);
    }
  }

 private:
  void Enter(const std::string& name) {
    const auto [known, is_new] = chains_.try_emplace(name, nullptr);
    if (!is_new) {
      return;
    }
    known->second = evaluator_.GetChain(table_, name);
    if (known->second == nullptr || known->second->contents != Contents::kComplete) {
      missing_ = true;
    } else {
      waiting_.push_back(known->second);
    }
    says_all_ = says_all_ && chains_.size() <= kMostChains;
  }

  void Follow(const firewall::Rule& rule) {
    for (const firewall::Expression& expression : rule.expressions) {
      const auto* match = std::get_if<firewall::XtMatch>(&expression);
      const auto* target = std::get_if<firewall::XtTarget>(&expression);
      if (match != nullptr && extensions_.TraitsOf(*match).names_ipset) {
        EnterIpset(*match);
      }
      const bool hangs_on_more = (target != nullptr && extensions_.TraitsOf(*target).names_ipset) ||
                                 std::holds_alternative<firewall::UnknownExpression>(expression);
      says_all_ = says_all_ && !hangs_on_more;
      firewall::ForEachReference(expression, [&](const Reference& reference) { Refer(reference); });
    }
  }

  void Refer(const Reference& reference) {
    switch (reference.kind) {
      case Reference::Kind::kChain:
        Enter(reference.name);
        break;
      case Reference::Kind::kSet:
      case Reference::Kind::kVerdictMap:
        EnterSet(reference.name);
        break;
      case Reference::Kind::kObject:
        says_all_ = says_all_ && reference.object_type == NFT_OBJECT_COUNTER;
        break;
    }
  }

  void EnterSet(const std::string& name) {
    if (sets_.contains(name)) {
      return;
    }
    const Set* set = evaluator_.GetSet(table_, name);
    if (set == nullptr || set->contents != Contents::kComplete) {
      missing_ = true;
      return;
    }
    says_all_ = says_all_ && !set->object_map;
    sets_[name] = set;
    for (const firewall::SetElement& element : set->elements) {
      says_all_ = says_all_ && element.expressions.empty();
      const auto* verdict = std::get_if<firewall::Verdict>(&element.data);
      if (verdict != nullptr && !verdict->chain.empty()) {
        Enter(verdict->chain);
      }
    }
  }

  // By its members: its number is another one wherever it is made.
  void EnterIpset(const firewall::XtMatch& match) {
    const auto asked = firewall::xt::DecodeIpsetMatch(match);
    says_all_ = says_all_ && asked && !asked->counted;
    if (!says_all_ || ipsets_.contains(asked->set.index)) {
      return;
    }
    const auto* found = query_.FindValue<std::shared_ptr<const Ipset>>(firewall::facts::IpsetKey{asked->set.index});
    if (found == nullptr) {
      missing_ = true;
      return;
    }
    std::vector<std::shared_ptr<const IpsetContents>> contents;
    const auto add = [&](const Ipset& set) {
      const auto* members =
          query_.FindValue<std::shared_ptr<const IpsetContents>>(firewall::facts::IpsetContentsKey{set.name});
      missing_ = missing_ || members == nullptr;
      contents.push_back(members != nullptr ? *members : nullptr);
    };
    if ((*found)->type == "list:set") {
      std::for_each((*found)->members.begin(), (*found)->members.end(), add);
    } else {
      add(**found);
    }
    ipsets_[asked->set.index] = {*found, std::move(contents)};
  }

  void AddRule(const firewall::Rule& rule, Hasher& hasher) const {
    hasher.Add(rule.expressions.size());
    for (const firewall::Expression& expression : rule.expressions) {
      const auto* match = std::get_if<firewall::XtMatch>(&expression);
      if (match != nullptr && extensions_.TraitsOf(*match).names_ipset) {
        AddIpset(*match, hasher);
      } else if (match != nullptr) {
        hasher.Add(match->name);
        hasher.Add(match->revision);
        hasher.Add(extensions_.IdentityOf(*match));
      } else {
        hasher.Add(std::holds_alternative<firewall::Counter>(expression) ? firewall::Expression(firewall::Counter{})
                                                                         : expression);
      }
    }
  }

  void AddIpset(const firewall::XtMatch& match, Hasher& hasher) const {
    const auto asked = firewall::xt::DecodeIpsetMatch(match);
    const auto& [set, contents] = ipsets_.at(asked->set.index);
    hasher.Add(asked->set.dim);
    hasher.Add(asked->set.flags);
    hasher.Add(asked->excluded);
    hasher.Add(*set);
    for (const auto& members : contents) {
      hasher.Add(*members);
    }
  }

  static bool DoesNothing(const Chain& chain) {
    return chain.base && chain.base->type == firewall::ChainType::kFilter && !chain.base->policy_drop &&
           chain.rules.empty();
  }

  void AddChain(const Chain& chain, Hasher& hasher) const {
    hasher.Add(chain.base.has_value());
    if (chain.base) {
      hasher.Add(chain.base->hook);
      hasher.Add(chain.base->type);
      hasher.Add(chain.base->priority);
      hasher.Add(chain.base->policy_drop);
      for (const firewall::Device& device : chain.base->devices) {
        hasher.Add(device.name);
        hasher.Add(device.prefix);
      }
    }
    hasher.Add(chain.rules.size());
    for (const firewall::Rule& rule : chain.rules) {
      AddRule(rule, hasher);
    }
  }

  static void AddSet(const Set& set, Hasher& hasher) {
    hasher.Add(set.expressions);
    hasher.Add(set.elements.size());
    for (const firewall::SetElement& element : set.elements) {
      hasher.Add(element.key);
      hasher.Add(element.key_end);
      hasher.Add(element.catch_all);
      hasher.Add(element.data);
    }
  }

  struct KnownIpset {
    std::shared_ptr<const Ipset> set;
    std::vector<std::shared_ptr<const IpsetContents>> contents;  // null: not yet known
  };

  firewall::eval::ChainEvaluator& evaluator_;
  FactQuery& query_;
  const firewall::xt::Registry& extensions_ = firewall::xt::BuiltIn();
  const Table& table_;
  std::map<std::uint16_t, KnownIpset> ipsets_;
  std::map<std::string, const Chain*> chains_;
  std::map<std::string, const Set*> sets_;
  std::vector<const Chain*> waiting_;
  bool says_all_ = true;
  bool missing_ = false;
};

}  // namespace

std::optional<std::string> IdentityOf(const firewall::Ruleset& rules, firewall::facts::Resolver& resolver,
                                      firewall::facts::FactStore& facts) {
  if (!rules.unread.empty()) {
    return std::nullopt;
  }
  const auto key = [](const Table* table) { return std::tie(table->backend, table->family, table->name); };
  std::vector<const Table*> tables;
  for (const Table& table : rules.tables) {
    tables.push_back(&table);
  }
  std::sort(tables.begin(), tables.end(), [&](const Table* a, const Table* b) { return key(a) < key(b); });
  FactQuery query(facts);
  firewall::eval::ChainEvaluator evaluator(rules, &query);
  for (int round = 1; round <= diagnosis::kMostRounds; ++round) {
    std::vector<Reachable> all;
    bool missing = false;
    for (const Table* table : tables) {
      all.emplace_back(evaluator, query, *table);
      if (!all.back().SaysAll()) {
        return std::nullopt;
      }
      missing = missing || all.back().IsMissingSome();
    }
    const firewall::facts::Needs needs = query.TakeNeeds();
    if (!missing) {
      Hasher hasher;
      for (const Reachable& each : all) {
        each.AddTo(hasher);
      }
      return hasher.Text();
    }
    if (needs.empty()) {
      return std::nullopt;  // what could not be read
    }
    resolver.Resolve(needs, facts);
  }
  return std::nullopt;
}

}  // namespace finwait::planning
