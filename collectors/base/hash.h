#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Numbers that tell values apart and places in tables. None of them resists somebody who chooses the values: a table
/// that strangers fill has a seed of its own.
namespace finwait {

/// 2^64 divided by the golden ratio, odd: multiplying by it spreads neighbouring words (Knuth's multiplicative
/// hashing).
inline constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15U;

/// Takes one word more into a hash; every bit of both has an effect on the lower half of the result.
constexpr std::uint64_t MixHash(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * kGoldenRatio;
  return hash ^ hash >> 32;
}

/// FNV-1a of 64 bits, byte for byte.
class Fnv1a {
 public:
  static constexpr std::uint64_t kStart = 0xcbf29ce484222325U;

  explicit constexpr Fnv1a(std::uint64_t start = kStart) : hash_(start) {}
  constexpr void Add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      hash_ = (hash_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
    }
  }
  constexpr std::uint64_t Hash() const { return hash_; }

 private:
  std::uint64_t hash_;
};

}  // namespace finwait
