#pragma once

#include <cstdint>

namespace finwait {

/// Widens one of the kernel's 32-bit counters, which start again at 0 after 2^32, to 64 bits. Right as long as it is
/// read at least once in 2^32 counts.
class WideCounter {
 public:
  /// Takes the kernel's value; the first one is the start.
  std::uint64_t Extend(std::uint32_t raw) {
    total_ += static_cast<std::uint32_t>(raw - last_);  // modulo 2^32: right across one wrap
    last_ = raw;
    return total_;
  }
  std::uint64_t Total() const { return total_; }

 private:
  std::uint64_t total_ = 0;
  std::uint32_t last_ = 0;
};

}  // namespace finwait
