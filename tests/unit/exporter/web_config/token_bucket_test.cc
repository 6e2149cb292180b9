#include "exporter/web_config/token_bucket.h"

#include <gtest/gtest.h>

namespace finwait::web_config {
namespace {

using namespace std::chrono_literals;

TEST(TokenBucket, ABurstPassesThenOneAnInterval) {
  auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 3}, now);
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
  now += 99ms;
  EXPECT_FALSE(bucket.Take(now));
  now += 2ms;
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
}

TEST(TokenBucket, RestFillsItNoFurtherThanTheBurst) {
  auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 2}, now);
  now += 1h;
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
}

TEST(TokenBucket, WithoutAnIntervalThereIsNoLimit) {
  const auto now = SteadyClock::now();
  TokenBucket bucket({0ms, 0}, now);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(bucket.Take(now));
  }
}

TEST(TokenBucket, ABurstOf0LetsNonePassAsInExporterToolkit) {
  const auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 0}, now);
  EXPECT_FALSE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now + 1h));
}

}  // namespace
}  // namespace finwait::web_config
