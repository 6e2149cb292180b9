#pragma once

#include <cstddef>
#include <utility>

#include "collectors/firewall/facts/fact_store.h"

namespace finwait::firewall::facts {

/// How evaluations see a FactStore: what it does not hold is noted as needed, and counts as unknown until somebody has
/// resolved it. Also notes the kinds of facts that an evaluation hung on. Not thread-safe.
class FactQuery {
 public:
  /// The most needs that are noted at once; more are met again in a later round.
  static constexpr std::size_t kMostNeeds = 4096;

  explicit FactQuery(FactStore& store) : store_(store) {}

  /// Null: not known yet; noted.
  const Fact* Find(const Need& need) {
    hung_on_ = static_cast<FactKinds>(hung_on_ | Only(KindOf(need)));
    const Fact* fact = store_.Find(need);
    if (fact == nullptr) {
      ++missed_;
      if (needs_.size() < kMostNeeds) {
        needs_.insert(need);
      }
    }
    return fact;
  }
  /// The value of type T; null where it is not known yet, absent, or failed.
  template <typename T>
  const T* FindValue(const Need& need) {
    const Fact* fact = Find(need);
    return fact != nullptr ? fact->template As<T>() : nullptr;
  }

  /// Everything that was missed since the last call.
  Needs TakeNeeds() { return std::exchange(needs_, Needs()); }
  const Needs& Noted() const { return needs_; }

  /// Rises with each miss: equal before and after an evaluation, nothing was missing for it.
  std::size_t Missed() const { return missed_; }
  /// As if a fact were missing again: what was evaluated without it is used once more.
  void NoteMissed() { ++missed_; }
  /// As if these kinds were asked for again.
  void NoteHungOn(FactKinds kinds) { hung_on_ = static_cast<FactKinds>(hung_on_ | kinds); }
  /// The kinds that were asked for since the last call.
  FactKinds TakeHungOn() { return std::exchange(hung_on_, FactKinds{0}); }

  FactStore& Store() const { return store_; }

 private:
  FactStore& store_;
  Needs needs_;
  std::size_t missed_ = 0;
  FactKinds hung_on_ = 0;
};

}  // namespace finwait::firewall::facts
