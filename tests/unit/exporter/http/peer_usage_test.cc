#include "exporter/http/peer_usage.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/http/peer_address.h"

namespace finwait::http {
namespace {

using std::chrono::seconds;

class PeerUsageTest : public testing::Test {
 protected:
  static Peer Number(int i) { return PeerAt("192.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)); }

  PeerUsage usage_;
  const SteadyClock::time_point start_ = SteadyClock::now();
  const Peer one_ = Number(1);
  const Peer two_ = Number(2);
};

TEST_F(PeerUsageTest, CountsWhatEachHasHad) {
  EXPECT_EQ(usage_.Add(one_, start_), 1);
  EXPECT_EQ(usage_.Add(one_, start_), 2);
  EXPECT_EQ(usage_.Of(one_, start_), 2);
  EXPECT_EQ(usage_.Of(two_, start_), 0);
}

TEST_F(PeerUsageTest, WhatWasHadCountsHalfAfterAWhileAndIsForgottenInTheEnd) {
  for (int i = 0; i < 8; ++i) {
    usage_.Add(one_, start_);
  }
  EXPECT_EQ(usage_.Of(one_, start_ + PeerUsage::kHalfLife), 4);
  EXPECT_EQ(usage_.Of(one_, start_ + 3 * PeerUsage::kHalfLife), 1);
  EXPECT_EQ(usage_.Of(one_, start_ + 4 * PeerUsage::kHalfLife), 0);
  EXPECT_EQ(usage_.Peers(), 0u);
}

TEST_F(PeerUsageTest, APeerThatAsksFarLessThanOthersIsLight) {
  EXPECT_FALSE(usage_.IsLight(one_, start_)) << "nobody else";
  usage_.Add(one_, start_);
  EXPECT_FALSE(usage_.IsLight(one_, start_)) << "nobody else";
  for (int i = 0; i < 4; ++i) {
    usage_.Add(two_, start_);
  }
  EXPECT_TRUE(usage_.IsLight(one_, start_));
  EXPECT_FALSE(usage_.IsLight(two_, start_));
  usage_.Add(one_, start_);
  usage_.Add(one_, start_);
  EXPECT_FALSE(usage_.IsLight(one_, start_)) << "3 of 4";
}

TEST_F(PeerUsageTest, OfManyPeersThoseThatHadMostAreRemembered) {
  for (int i = 0; i < 1000; ++i) {
    usage_.Add(one_, start_);
  }
  for (int i = 10; i < 3 * static_cast<int>(PeerUsage::kMostPeers); ++i) {
    usage_.Add(Number(i), start_);
  }
  EXPECT_LE(usage_.Peers(), PeerUsage::kMostPeers);
  EXPECT_GT(usage_.Of(one_, start_), 10);
}

}  // namespace
}  // namespace finwait::http
