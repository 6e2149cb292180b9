#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "collectors/base/result.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"

namespace finwait::firewall::facts {

/// Kinds of facts, as a set of bits.
using FactKinds = std::uint32_t;
static_assert(kFactKinds <= 32);
inline FactKinds Only(FactKind kind) { return FactKinds{1} << static_cast<unsigned>(kind); }
/// What the rules themselves say. It changes with the ruleset, of which the firewall collector tells.
inline const FactKinds kRulesFacts = static_cast<FactKinds>(Only(FactKind::kChain) | Only(FactKind::kLegacyTable) |
                                                            Only(FactKind::kSet) | Only(FactKind::kQuota));

/// What is known of one network namespace beside its samples: the one owner of it all, with one budget and one
/// eviction. Asks nobody: a Resolver fills it. Facts are values; a reference to one lives until the next Put(),
/// Invalidate(), Expire() or Evict*(). Not thread-safe.
///
/// An outcome that was reached through facts may be remembered together with the kinds that it hung on and Now():
/// Holds() tells whether any fact of these kinds may have changed since.
class FactStore {
 public:
  static constexpr std::size_t kBudget = std::size_t{48} << 20;  // bytes
  /// What was not used for so long can be read again when it is needed.
  static constexpr std::chrono::seconds kKeepUnused{15};

  explicit FactStore(std::size_t budget = kBudget);
  FactStore(const FactStore& other);
  FactStore(FactStore&& other) noexcept;
  FactStore& operator=(const FactStore& other);
  FactStore& operator=(FactStore&& other) noexcept;
  ~FactStore();

  /// Null where nobody has asked yet. Counts as a use.
  const Fact* Find(const Need& need);
  /// Beyond the budget the facts that have not been used for longest go.
  void Put(const Need& need, Fact fact);

  /// These facts may no longer be true: forgets them, and with them whatever hung on them.
  void Invalidate(FactKinds kinds);
  /// Invalidates facts of which nobody tells that they have changed, once they are too old: elements of sets that
  /// packets fill, ipsets, lists, counts and listeners (10 s), defaults, control groups, the clock and what conntrack's
  /// entries hold (1 min), sockets' options (5 min), and failures of any kind (10 s), which may have passed. Settings
  /// become stale (60 s).
  void Expire(SteadyClock::time_point now);
  /// The namespace's settings are to be read again. Until then the old ones count, and if they turn out to be the same,
  /// nothing has changed.
  void MarkSettingsStale();
  /// What is to be read again.
  Needs Stale() const;
  /// Frees what has not been used for kKeepUnused. Outcomes that hung on it stay true. Returns the bytes freed.
  std::size_t EvictUnused(SteadyClock::time_point now);
  /// Frees all rules and sets. Outcomes that hung on them stay true. Returns the bytes freed.
  std::size_t EvictRules();

  std::uint32_t Now() const { return clock_; }
  /// Whether no fact of `kinds` can have changed since `then`, an earlier Now().
  bool Holds(FactKinds kinds, std::uint32_t then) const;
  /// Rises whenever facts are freed: what points into them ends its life.
  std::uint64_t Evictions() const { return evictions_; }

  /// Rises with each fact that is put: equal before and after, evaluating again tells nothing new.
  std::uint64_t Puts() const { return puts_; }

  std::size_t Size() const { return facts_.size(); }
  std::size_t Bytes() const { return bytes_; }

 private:
  struct Entry {
    Fact fact;
    std::size_t size = 0;
    std::uint64_t used = 0;  // uses_ when it was last found
    bool stale = false;
  };
  using Facts = std::map<Need, Entry>;

  Facts::iterator Erase(Facts::iterator entry);
  void MakeRoom();
  template <typename Condition>
  std::size_t EraseIf(Condition condition);

  std::size_t budget_;
  std::size_t bytes_ = 0;
  Facts facts_;
  SteadyClock::time_point now_;  // as of the last Expire()
  std::uint32_t clock_ = 1;
  std::array<std::uint32_t, kFactKinds> changed_ = {};                         // clock_ of the last change, by kind
  std::array<std::optional<SteadyClock::time_point>, kFactKinds> since_ = {};  // of the oldest fact, by kind
  std::optional<SteadyClock::time_point> failed_since_;
  std::uint64_t uses_ = 1;
  std::uint64_t uses_at_eviction_ = 0;  // when EvictUnused() last looked
  std::optional<SteadyClock::time_point> evicted_at_;
  std::uint64_t evictions_ = 0;
  std::uint64_t puts_ = 0;
};

}  // namespace finwait::firewall::facts
