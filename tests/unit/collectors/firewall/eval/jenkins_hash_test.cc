#include "collectors/firewall/eval/jenkins_hash.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace finwait::firewall::eval {
namespace {

std::uint32_t HashOf(std::string_view text, std::uint32_t seed) {
  return JenkinsHash(std::vector<std::uint8_t>(text.begin(), text.end()), seed);
}

// The numbers are those of include/linux/jhash.h, compiled by itself.
TEST(JenkinsHashTest, IsTheKernels) {
  EXPECT_EQ(HashOf("", 7), 0xdeadbeef + 7U);
  EXPECT_EQ(HashOf("abcd", 7), 1439473897U);
  EXPECT_EQ(HashOf("abcdefghijkl", 7), 2154566824U) << "one block";
  EXPECT_EQ(HashOf("abcdefghijklmnop", 7), 1693376004U) << "a block and more";
}

}  // namespace
}  // namespace finwait::firewall::eval
