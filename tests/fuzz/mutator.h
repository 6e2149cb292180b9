#pragma once

#include <cstddef>
#include <functional>
#include <random>
#include <vector>

#include "tests/fuzz/target.h"

namespace finwait::fuzz {

/// Changes bytes in place and returns their new length, at most `capacity`.
using ByteMutator = std::function<std::size_t(std::byte* bytes, std::size_t size, std::size_t capacity)>;

/// Changes `input` without breaking the lengths that hold netlink together: takes messages and attributes away, doubles
/// them, moves them to another nest, gives them another type, and has `mutate_bytes` change one attribute's payload.
/// What is no netlink is left to `mutate_bytes` alone.
std::vector<std::byte> Mutate(std::span<const std::byte> input, Shape shape, std::mt19937& random,
                              const ByteMutator& mutate_bytes);

/// A ByteMutator of its own, for where libFuzzer's is not at hand: flips, overwrites, erases, inserts, repeats.
ByteMutator PlainByteMutator(std::mt19937& random);

}  // namespace finwait::fuzz
