#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

/// Immutable objects that several messages hold, as the chains of a ruleset that has not changed: they cross once, and
/// are named by a number afterwards, for as long as they live on the sending side.
namespace finwait::codec {

/// What the other side has. Holds no object alive. Not thread-safe.
class SentObjects {
 public:
  using Number = std::uint32_t;
  static constexpr Number kNull = 0;  ///< a null pointer
  static constexpr Number kHere = 1;  ///< an object without a number, whose bytes follow

  struct Named {
    Number number;
    bool is_new;  ///< the object's bytes are to follow
  };
  Named NumberOf(const std::shared_ptr<const void>& object) {
    const auto known = sent_.find(object.get());
    if (known != sent_.end() && !known->second.object.expired()) {
      return {known->second.number, false};
    }
    if (known != sent_.end()) {
      released_.push_back(known->second.number);  // another object stood here
      sent_.erase(known);
    }
    sent_.emplace(object.get(), Sent{object, ++last_});
    return {last_, true};
  }

  /// Begins again, after a message that was not sent: everything is released, and crosses again when it is next met.
  void ReleaseAll() {
    for (const auto& [address, sent] : sent_) {
      released_.push_back(sent.number);
    }
    sent_.clear();
  }

  /// The numbers of objects that live no more, each once: for ReceivedObjects::Release.
  std::vector<Number> TakeReleased() {
    std::vector<Number> released = std::exchange(released_, {});
    for (auto entry = sent_.begin(); entry != sent_.end();) {
      if (entry->second.object.expired()) {
        released.push_back(entry->second.number);
        entry = sent_.erase(entry);
      } else {
        ++entry;
      }
    }
    return released;
  }

 private:
  struct Sent {
    std::weak_ptr<const void> object;
    Number number;
  };

  std::unordered_map<const void*, Sent> sent_;
  std::vector<Number> released_;
  Number last_ = kHere;
};

/// What the other side may name. Not thread-safe.
class ReceivedObjects {
 public:
  using Number = SentObjects::Number;
  /// A sender that releases nothing is refused beyond so many objects: 65,536 chains, sets and headers are more than
  /// readers keep (ReaderLimits).
  static constexpr std::size_t kMost = std::size_t{1} << 20;
  /// And beyond so much memory.
  static constexpr std::size_t kMostMemory = std::size_t{512} << 20;

  /// Null where there is no object of that number and type.
  template <typename T>
  std::shared_ptr<const T> Find(Number number) const {
    const auto found = objects_.find(number);
    return found == objects_.end() || found->second.type != typeid(T)
               ? nullptr
               : std::static_pointer_cast<const T>(found->second.object);
  }
  /// False where the number is taken, or a bound reached. `memory`: what the object takes, in bytes.
  template <typename T>
  bool Keep(Number number, std::shared_ptr<const T> object, std::size_t memory) {
    if (objects_.size() >= kMost || memory > kMostMemory - memory_ ||
        !objects_.emplace(number, Received{std::move(object), typeid(T), memory}).second) {
      return false;
    }
    memory_ += memory;
    return true;
  }
  void Release(const std::vector<Number>& numbers) {
    for (const Number number : numbers) {
      if (const auto found = objects_.find(number); found != objects_.end()) {
        memory_ -= found->second.memory;
        objects_.erase(found);
      }
    }
  }
  std::size_t Size() const { return objects_.size(); }

 private:
  struct Received {
    std::shared_ptr<const void> object;
    std::type_index type;
    std::size_t memory;
  };
  std::unordered_map<Number, Received> objects_;
  std::size_t memory_ = 0;
};

}  // namespace finwait::codec
