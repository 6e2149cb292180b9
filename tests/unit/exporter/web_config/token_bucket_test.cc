#include "exporter/web_config/token_bucket.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/http/peer_address.h"

namespace finwait::web_config {
namespace {

using namespace std::chrono_literals;
using http::Peer;
using http::PeerAt;

const Peer kOne = PeerAt("192.0.2.1");
const Peer kTwo = PeerAt("192.0.2.2");

TEST(TokenBucket, ABurstPassesThenOneAnInterval) {
  auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 3}, now);
  EXPECT_TRUE(bucket.Take(kOne, now));
  EXPECT_TRUE(bucket.Take(kOne, now));
  EXPECT_TRUE(bucket.Take(kOne, now));
  EXPECT_FALSE(bucket.Take(kOne, now));
  now += 99ms;
  EXPECT_FALSE(bucket.Take(kOne, now));
  now += 2ms;
  EXPECT_TRUE(bucket.Take(kOne, now));
  EXPECT_FALSE(bucket.Take(kOne, now));
}

TEST(TokenBucket, RestFillsItNoFurtherThanTheBurst) {
  auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 2}, now);
  now += 1h;
  EXPECT_TRUE(bucket.Take(kOne, now));
  EXPECT_TRUE(bucket.Take(kOne, now));
  EXPECT_FALSE(bucket.Take(kOne, now));
}

TEST(TokenBucket, WithoutAnIntervalThereIsNoLimit) {
  const auto now = SteadyClock::now();
  TokenBucket bucket({0ms, 0}, now);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(bucket.Take(kOne, now));
  }
}

TEST(TokenBucket, ABurstOf0LetsNonePassAsInExporterToolkit) {
  const auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 0}, now);
  EXPECT_FALSE(bucket.Take(kOne, now));
  EXPECT_FALSE(bucket.Take(kOne, now + 1h));
}

TEST(TokenBucket, WhoAsksNowAndThenIsLetInWhileOneFloods) {
  auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 5}, now);
  int flood = 0;
  int let_in = 0;
  for (int i = 0; i < 6'000; ++i) {  // one minute, 100 times the rate
    now += 10ms;
    for (int k = 0; k < 10; ++k) {
      flood += bucket.Take(kOne, now);
    }
    if (i % 500 == 250) {
      let_in += bucket.Take(kTwo, now);
    }
  }
  EXPECT_EQ(let_in, 12);
  EXPECT_LE(flood + let_in, 600 + 5 + 1) << "the rate of all is what it is";
  EXPECT_GE(flood + let_in, 600);
}

TEST(TokenBucket, WhoAsksNowAndThenIsLetInWhile200Flood) {
  auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 5}, now);
  int let_in = 0;
  for (int i = 0; i < 6'000; ++i) {
    now += 10ms;
    bucket.Take(PeerAt("198.51.100." + std::to_string(i % 200)), now);  // each every two seconds
    if (i % 1500 == 1250) {
      let_in += bucket.Take(kTwo, now);
    }
  }
  EXPECT_EQ(let_in, 4);
}

TEST(TokenBucket, WhatIsBorrowedIsAtMostOneBurst) {
  const auto now = SteadyClock::now();
  TokenBucket bucket({100ms, 3}, now);
  for (int i = 0; i < 100; ++i) {
    bucket.Take(kOne, now);
  }
  int borrowed = 0;
  for (int i = 0; i < 20; ++i) {
    borrowed += bucket.Take(kTwo, now);
  }
  EXPECT_EQ(borrowed, 3);
}

}  // namespace
}  // namespace finwait::web_config
