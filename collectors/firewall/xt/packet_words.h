#pragma once

#include <cstddef>
#include <cstdint>

#include "collectors/firewall/xt/extension.h"

/// A packet's bytes as programs of matches load them, from the IP header on.
namespace finwait::firewall::xt {

/// A number of 32 bits of which some may not be known.
struct AbstractWord {
  std::uint32_t value = 0;  ///< 0 where a bit is not known
  std::uint32_t known = 0;  ///< 1: the bit is `value`'s

  static AbstractWord Known(std::uint32_t value) { return {value, UINT32_MAX}; }
  bool IsKnown() const { return known == UINT32_MAX; }
  std::uint32_t Least() const { return value; }
  std::uint32_t Most() const { return value | ~known; }

  AbstractWord And(std::uint32_t mask) const { return {value & mask, known | ~mask}; }
  /// By 0 to 31 bits.
  AbstractWord Left(std::uint32_t bits) const { return {value << bits, (known << bits) | ((1U << bits) - 1)}; }
  AbstractWord Right(std::uint32_t bits) const { return {value >> bits, (known >> bits) | ~(UINT32_MAX >> bits)}; }
  /// Whether it lies between both, included.
  Tristate IsBetween(std::uint32_t first, std::uint32_t last) const;
};

/// Whether the packet is at least `size` bytes long.
Tristate IsAsLongAs(const Packet& packet, std::uint64_t size);

/// The number that `size` (1, 2 or 4) bytes make in network order, from `offset` on. TCP options are not known.
AbstractWord WordAt(const Packet& packet, std::uint64_t offset, std::size_t size);

}  // namespace finwait::firewall::xt
