#include "collectors/firewall/eval/jenkins_hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace finwait::firewall::eval {
namespace {

using Words = std::array<std::uint32_t, 3>;

// __jhash_mix()
void Mix(Words& words) {
  constexpr int kTurns[] = {4, 6, 8, 16, 19, 4};
  for (std::size_t i = 0; i < std::size(kTurns); ++i) {
    std::uint32_t& one = words[i % 3];
    std::uint32_t& last = words[(i + 2) % 3];
    one -= last;
    one ^= std::rotl(last, kTurns[i]);
    last += words[(i + 1) % 3];
  }
}

// __jhash_final()
std::uint32_t Finish(Words words) {
  constexpr int kTurns[] = {14, 11, 25, 16, 4, 14, 24};
  std::size_t one = 2;
  for (const int turns : kTurns) {
    const std::uint32_t other = words[(one + 2) % 3];
    words[one] ^= other;
    words[one] -= std::rotl(other, turns);
    one = (one + 1) % 3;
  }
  return words[2];
}

}  // namespace

std::uint32_t JenkinsHash(std::span<const std::uint8_t> bytes, std::uint32_t seed) {
  constexpr std::uint32_t kInitial = 0xdeadbeef;
  constexpr std::size_t kBlock = 12;
  Words words;
  words.fill(kInitial + static_cast<std::uint32_t>(bytes.size()) + seed);
  const auto add = [&](std::span<const std::uint8_t> some) {
    std::array<std::uint8_t, kBlock> block = {};
    std::ranges::copy(some, block.begin());
    Words more;
    std::memcpy(more.data(), block.data(), block.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] += more[i];
    }
  };
  while (bytes.size() > kBlock) {
    add(bytes.first(kBlock));
    Mix(words);
    bytes = bytes.subspan(kBlock);
  }
  if (!bytes.empty()) {
    add(bytes);
    return Finish(words);
  }
  return words[2];
}

}  // namespace finwait::firewall::eval
