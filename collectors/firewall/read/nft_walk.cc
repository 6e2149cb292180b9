#include "collectors/firewall/read/nft_walk.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "collectors/firewall/read/nft_reader.h"

namespace finwait::firewall::read {

Result<void> NftWalk::ReadReachable(Table& table) {
  queue_.clear();
  for (const auto& [name, chain] : table.chains) {
    // nat chains see no packet that conntrack calls INVALID, and can hold tens of thousands of service rules.
    if (chain->base && chain->base->type != ChainType::kNat) {
      queue_.push_back(name);
    }
  }
  while (!queue_.empty()) {
    const std::string name = std::move(queue_.front());
    queue_.pop_front();
    const Chain* known = FindChain(table, name);
    if (known != nullptr && known->contents != Contents::kNotRead) {
      continue;
    }
    if (auto read = ReadOneChain(table, name); !read) {
      return read;
    }
  }
  return {};
}

Result<void> NftWalk::ReadOneChain(Table& table, const std::string& name) {
  const Chain* listed = FindChain(table, name);
  if (listed == nullptr) {
    if (left_.chains == 0) {
      return {};  // the chain stays unknown to the model
    }
    --left_.chains;
  }
  Result<Chain> chain;
  if (left_.rules > 0) {
    chain = reader_.ReadChain(table.family, table.name, name, left_.rules);
  } else {
    chain->name = name;
    chain->contents = Contents::kTruncated;
  }
  if (!chain) {
    return Failure(chain.error());
  }
  left_.rules -= chain->rules.size();
  if (listed != nullptr) {
    chain->base = listed->base;
    chain->handle = listed->handle;
  }
  const auto shared = std::make_shared<const Chain>(std::move(*chain));
  table.chains.insert_or_assign(name, shared);
  for (const Rule& rule : shared->rules) {
    if (auto followed = Follow(table, rule); !followed) {
      return followed;
    }
  }
  return {};
}

Result<void> NftWalk::Follow(Table& table, const Rule& rule) {
  Result<void> followed;
  for (const Expression& expression : rule.expressions) {
    ForEachReference(expression, [&](const Reference& reference) { followed = Follow(table, reference); });
    if (!followed) {
      return followed;
    }
  }
  return {};
}

Result<void> NftWalk::Follow(Table& table, const Reference& reference) {
  switch (reference.kind) {
    case Reference::Kind::kChain:
      queue_.push_back(reference.name);
      return {};
    case Reference::Kind::kSet:
    case Reference::Kind::kVerdictMap:
      return FollowSet(table, reference.name);
    case Reference::Kind::kObject:
      return FollowObject(table, reference);
  }
  return {};
}

Result<void> NftWalk::FollowSet(Table& table, const std::string& name) {
  if (left_.sets == 0 || FindSet(table, name) != nullptr) {
    return {};
  }
  --left_.sets;
  auto set = reader_.ReadSet(table.family, table.name, name, std::min(left_.set_elements, left_.all_set_elements));
  if (!set) {
    if (set.error().errno_code == ENOENT) {
      found_gap_ = true;
      return {};
    }
    return Failure(set.error());
  }
  left_.all_set_elements -= std::min(set->elements.size(), left_.all_set_elements);
  const auto shared = std::make_shared<const Set>(std::move(*set));
  table.sets.insert_or_assign(name, shared);
  for (const SetElement& element : shared->elements) {
    const auto* verdict = std::get_if<Verdict>(&element.data);
    if (verdict != nullptr && !verdict->chain.empty()) {
      queue_.push_back(verdict->chain);
    }
  }
  return {};
}

Result<void> NftWalk::FollowObject(Table& table, const Reference& reference) {
  const bool known = std::any_of(table.objects.begin(), table.objects.end(), [&](const Object& object) {
    return object.type == reference.object_type && object.name == reference.name;
  });
  if (reference.object_type != NFT_OBJECT_COUNTER || known || left_.objects == 0) {
    return {};
  }
  --left_.objects;
  auto object = reader_.ReadObject(table.family, table.name, reference.name, reference.object_type);
  if (!object) {
    if (object.error().errno_code == ENOENT) {
      found_gap_ = true;
      return {};
    }
    return Failure(object.error());
  }
  table.objects.push_back(std::move(*object));
  return {};
}

}  // namespace finwait::firewall::read
