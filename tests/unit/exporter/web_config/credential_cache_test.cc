#include "exporter/web_config/credential_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace finwait::web_config {
namespace {

TEST(CredentialCache, WhatIsRememberedIsFound) {
  CredentialCache cache;
  const auto right = cache.KeyOf("alice", "hash", "secret");
  const auto wrong = cache.KeyOf("alice", "hash", "guess");
  EXPECT_EQ(cache.Find(right), std::nullopt);
  cache.Remember(right, true);
  cache.Remember(wrong, false);
  EXPECT_EQ(cache.Find(right), true);
  EXPECT_EQ(cache.Find(wrong), false);
}

// CVE-2022-46146: the parts were joined without their lengths, so that "alice" with a password that begins with a
// known hash was the same key as a user whose name ends with it.
TEST(CredentialCache, PartsThatJoinToTheSameTextAreOthers) {
  const CredentialCache cache;
  EXPECT_NE(cache.KeyOf("alice", "hash", "secret"), cache.KeyOf("alicehash", "", "secret"));
  EXPECT_NE(cache.KeyOf("alice", "hash", "secret"), cache.KeyOf("alice", "", "hashsecret"));
  EXPECT_NE(cache.KeyOf("a", "1:b", ""), cache.KeyOf("a1:b", "", ""));
  EXPECT_NE(cache.KeyOf("", "", "x"), cache.KeyOf("x", "", ""));
}

TEST(CredentialCache, ANewHashMakesOldVerdictsVoid) {
  CredentialCache cache;
  cache.Remember(cache.KeyOf("alice", "old", "secret"), true);
  EXPECT_EQ(cache.Find(cache.KeyOf("alice", "new", "secret")), std::nullopt);
}

TEST(CredentialCache, KeysOfAnotherProcessAreWorthNothing) {
  EXPECT_NE(CredentialCache().KeyOf("alice", "hash", "secret"), CredentialCache().KeyOf("alice", "hash", "secret"));
}

TEST(CredentialCache, GuessesPushOutTheOldestGuessesAndNotThoseWhoKnow) {
  CredentialCache cache;
  const auto right = cache.KeyOf("alice", "hash", "secret");
  cache.Remember(right, true);
  for (std::size_t i = 0; i <= CredentialCache::kMostOfEach; ++i) {
    cache.Remember(cache.KeyOf("alice", "hash", std::to_string(i)), false);
  }
  EXPECT_EQ(cache.Find(right), true);
  EXPECT_EQ(cache.Find(cache.KeyOf("alice", "hash", "0")), std::nullopt);
  EXPECT_EQ(cache.Find(cache.KeyOf("alice", "hash", "1")), false);
}

}  // namespace
}  // namespace finwait::web_config
