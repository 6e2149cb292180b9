#include "collectors/firewall/facts/fact_store.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace finwait::firewall::facts {
namespace {

// How long a fact of which nobody tells that it has changed counts as true; nothing: somebody tells.
std::optional<std::chrono::seconds> Lifetime(FactKind kind) {
  switch (kind) {
    case FactKind::kElement:
    case FactKind::kIpset:
    case FactKind::kIpsetElement:
    case FactKind::kIpsetContents:
    case FactKind::kIpsecPolicies:
    case FactKind::kQueueListener:
    case FactKind::kEntryCount:
    case FactKind::kRecent:
    case FactKind::kNeighbour:
    case FactKind::kSetRoom:
    case FactKind::kIpsetExtensions:
    case FactKind::kIpsetRoom:
      return std::chrono::seconds(10);
    case FactKind::kNamespace:
    case FactKind::kHopLimit:
    case FactKind::kControlGroup:
    case FactKind::kClock:
    case FactKind::kEntry:
      return std::chrono::seconds(60);
    case FactKind::kSocket:
      return std::chrono::minutes(5);
    case FactKind::kChain:
    case FactKind::kLegacyTable:
    case FactKind::kSet:
    case FactKind::kQuota:
    case FactKind::kRoute:
      break;
  }
  return std::nullopt;
}

constexpr std::chrono::seconds kFailureLifetime{10};
// Beside the fact itself: the node of the map and the need, whose strings are short.
constexpr std::size_t kOverhead = 256;

}  // namespace

FactStore::FactStore(std::size_t budget) : budget_(budget) {}
FactStore::FactStore(const FactStore& other) = default;
FactStore::FactStore(FactStore&& other) noexcept = default;
FactStore& FactStore::operator=(const FactStore& other) = default;
FactStore& FactStore::operator=(FactStore&& other) noexcept = default;
FactStore::~FactStore() = default;

const Fact* FactStore::Find(const Need& need) {
  const auto found = facts_.find(need);
  if (found == facts_.end()) {
    return nullptr;
  }
  found->second.used = ++uses_;
  return &found->second.fact;
}

FactStore::Facts::iterator FactStore::Erase(Facts::iterator entry) {
  bytes_ -= entry->second.size;
  ++evictions_;
  return facts_.erase(entry);
}

template <typename Condition>
std::size_t FactStore::EraseIf(Condition condition) {
  const std::size_t before = bytes_;
  for (auto entry = facts_.begin(); entry != facts_.end();) {
    entry = condition(*entry) ? Erase(entry) : std::next(entry);
  }
  return before - bytes_;
}

void FactStore::Put(const Need& need, Fact fact) {
  ++puts_;
  auto& since = since_[static_cast<std::size_t>(KindOf(need))];
  since = since ? since : now_;
  if (fact.Why() != nullptr) {
    failed_since_ = failed_since_ ? failed_since_ : now_;
  }
  const std::size_t size = fact.Size() + kOverhead;
  if (const auto known = facts_.find(need); known != facts_.end()) {
    if (known->second.stale && !known->second.fact.SameAs(fact)) {
      changed_[static_cast<std::size_t>(KindOf(need))] = ++clock_;
    }
    Erase(known);
  }
  bytes_ += size;
  facts_.emplace(need, Entry{std::move(fact), size, ++uses_, false});
  if (bytes_ > budget_) {
    MakeRoom();
  }
}

// An eighth at once, so that the search for the oldest is not made for each.
void FactStore::MakeRoom() {
  std::vector<Facts::iterator> oldest_first;
  for (auto entry = facts_.begin(); entry != facts_.end(); ++entry) {
    oldest_first.push_back(entry);
  }
  std::sort(oldest_first.begin(), oldest_first.end(),
            [](const auto& a, const auto& b) { return a->second.used < b->second.used; });
  for (const auto& entry : oldest_first) {
    if (bytes_ <= budget_ / 8 * 7 || facts_.size() == 1) {
      break;
    }
    Erase(entry);
  }
}

void FactStore::Invalidate(FactKinds kinds) {
  ++clock_;
  for (std::size_t kind = 0; kind < kFactKinds; ++kind) {
    if ((kinds & Only(static_cast<FactKind>(kind))) != 0) {
      changed_[kind] = clock_;
      since_[kind].reset();
    }
  }
  EraseIf([&](const auto& entry) { return (kinds & Only(KindOf(entry.first))) != 0; });
}

void FactStore::Expire(SteadyClock::time_point now) {
  now_ = now;
  FactKinds expired = 0;
  for (std::size_t i = 0; i < kFactKinds; ++i) {
    const auto kind = static_cast<FactKind>(i);
    const auto lifetime = Lifetime(kind);
    if (!lifetime || !since_[i] || now - *since_[i] < *lifetime) {
      continue;
    }
    if (kind == FactKind::kNamespace) {
      since_[i].reset();
      MarkSettingsStale();
    } else {
      expired = static_cast<FactKinds>(expired | Only(kind));
    }
  }
  if (expired != 0) {
    Invalidate(expired);
  }
  if (failed_since_ && now - *failed_since_ >= kFailureLifetime) {
    failed_since_.reset();
    ++clock_;
    EraseIf([&](const auto& entry) {
      const bool failed = entry.second.fact.Why() != nullptr;
      if (failed) {
        changed_[static_cast<std::size_t>(KindOf(entry.first))] = clock_;
      }
      return failed;
    });
  }
}

void FactStore::MarkSettingsStale() {
  for (auto& [need, entry] : facts_) {
    entry.stale = entry.stale || KindOf(need) == FactKind::kNamespace;
  }
}

Needs FactStore::Stale() const {
  Needs stale;
  for (const auto& [need, entry] : facts_) {
    if (entry.stale) {
      stale.insert(need);
    }
  }
  return stale;
}

std::size_t FactStore::EvictUnused(SteadyClock::time_point now) {
  if (!evicted_at_) {
    evicted_at_ = now;
    uses_at_eviction_ = uses_;
    return 0;
  }
  if (now - *evicted_at_ < kKeepUnused) {
    return 0;
  }
  const std::uint64_t unused_since = std::exchange(uses_at_eviction_, uses_);
  evicted_at_ = now;
  return EraseIf([&](const auto& entry) {
    return entry.second.used <= unused_since && KindOf(entry.first) != FactKind::kNamespace;
  });
}

std::size_t FactStore::EvictRules() {
  return EraseIf([&](const auto& entry) { return (kRulesFacts & Only(KindOf(entry.first))) != 0; });
}

bool FactStore::Holds(FactKinds kinds, std::uint32_t then) const {
  for (std::size_t kind = 0; kind < kFactKinds; ++kind) {
    if ((kinds & Only(static_cast<FactKind>(kind))) != 0 && changed_[kind] > then) {
      return false;
    }
  }
  return true;
}

}  // namespace finwait::firewall::facts
