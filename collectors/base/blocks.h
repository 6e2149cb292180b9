#pragma once

#include <cstddef>
#include <vector>

namespace finwait {

/// Many small values in blocks of a fixed size instead of one piece that is copied as it grows. A block is large enough
/// to be mapped by itself (see exporter/service/memory_policy.cc), so that it goes back to the kernel when it is freed,
/// and what of a block is not used costs no memory.
template <typename T>
class Blocks {
 public:
  void Add(const T& value) {
    if (blocks_.empty() || blocks_.back().size() == kBlock) {
      blocks_.emplace_back().reserve(kBlock);
    }
    blocks_.back().push_back(value);
    ++size_;
  }
  /// There must be one.
  void RemoveLast() {
    blocks_.back().pop_back();
    if (blocks_.back().empty()) {
      blocks_.pop_back();
    }
    --size_;
  }

  std::size_t Size() const { return size_; }
  const T& operator[](std::size_t position) const { return blocks_[position / kBlock][position % kBlock]; }
  T& operator[](std::size_t position) { return blocks_[position / kBlock][position % kBlock]; }

 private:
  static constexpr std::size_t kBytes = 128 * 1024;
  static constexpr std::size_t kBlock = kBytes / sizeof(T);  // elements

  std::size_t size_ = 0;
  std::vector<std::vector<T>> blocks_;
};

}  // namespace finwait
