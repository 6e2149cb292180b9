#include "collectors/base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace finwait {
namespace {

std::uint64_t Fnv1aOf(std::string_view text) {
  Fnv1a hash;
  hash.Add(std::as_bytes(std::span(text)));
  return hash.Hash();
}

// The published test vectors (draft-eastlake-fnv).
TEST(HashTest, Fnv1aIsAsPublished) {
  EXPECT_EQ(Fnv1aOf(""), 0xcbf29ce484222325U);
  EXPECT_EQ(Fnv1aOf("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(Fnv1aOf("foobar"), 0x85944171f73967e8U);
}

TEST(HashTest, Fnv1aGoesOnWhereItWas) {
  Fnv1a parts;
  parts.Add(std::as_bytes(std::span(std::string_view("foo"))));
  parts.Add(std::as_bytes(std::span(std::string_view("bar"))));
  EXPECT_EQ(parts.Hash(), Fnv1aOf("foobar"));
}

// Tables take the lower bits.
TEST(HashTest, NeighbouringWordsAreSpread) {
  std::set<std::uint64_t> low;
  for (std::uint64_t word = 0; word < 1024; ++word) {
    low.insert(MixHash(0, word << 32) & 0xffff);
    low.insert(MixHash(0, word) & 0xffff);
  }
  EXPECT_GT(low.size(), 1900U);
}

}  // namespace
}  // namespace finwait
