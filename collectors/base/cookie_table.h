#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "collectors/base/hash.h"

namespace finwait {

/// Values by socket cookie, without a heap block for each: open addressing in one piece of memory. `Value` is small and
/// copies freely. Cookies are counted up by the kernel (sock_gen_cookie), so nobody can choose which ones collide.
template <typename Value>
class CookieTable {
 public:
  std::size_t Size() const { return size_; }

  /// Null where there is none. Valid until the next Set().
  const Value* Find(std::uint64_t cookie) const {
    if (slots_.empty()) {
      return nullptr;
    }
    const Slot& slot = slots_[SlotOf(cookie)];
    return slot.cookie == cookie ? &slot.value : nullptr;
  }

  void Set(std::uint64_t cookie, const Value& value) {
    if (cookie == kEmpty) {
      return;
    }
    if ((size_ + 1) * 4 > slots_.size() * 3) {
      Grow();
    }
    Slot& slot = slots_[SlotOf(cookie)];
    size_ += slot.cookie == kEmpty ? 1 : 0;
    slot = {cookie, value};
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};  // INET_DIAG_NOCOOKIE, which no socket has
  struct Slot {
    std::uint64_t cookie = kEmpty;
    Value value = {};
  };

  // Where `cookie` is, or would be. At least a quarter of the slots is empty, so this ends.
  std::size_t SlotOf(std::uint64_t cookie) const {
    const std::uint64_t hash = cookie * kGoldenRatio;
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>(hash >> 32) & mask;
    while (slots_[at].cookie != cookie && slots_[at].cookie != kEmpty) {
      at = (at + 1) & mask;
    }
    return at;
  }

  void Grow() {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 64 : slots_.size() * 2));
    for (const Slot& slot : old) {
      if (slot.cookie != kEmpty) {
        slots_[SlotOf(slot.cookie)] = slot;
      }
    }
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace finwait
