#include "exporter/web_config/bcrypt.h"

#include <gtest/gtest.h>

#include <string>

namespace finwait::web_config {
namespace {

// Of the published test vectors of crypt_blowfish.
constexpr std::string_view kSimple = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
constexpr std::string_view kLong = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
constexpr std::string_view kLongPassword = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kEightBit = "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e";
/// What exporter-toolkit uses for users that do not exist; its password is "fakepassword".
constexpr std::string_view kToolkit = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

TEST(Bcrypt, TheRightPasswordMatchesAndNoOther) {
  EXPECT_TRUE(MatchesBcrypt("U*U", kSimple));
  EXPECT_FALSE(MatchesBcrypt("U*u", kSimple));
  EXPECT_FALSE(MatchesBcrypt("", kSimple));
  EXPECT_TRUE(MatchesBcrypt("fakepassword", kToolkit));
}

TEST(Bcrypt, TheHashItselfIsNoPassword) { EXPECT_FALSE(MatchesBcrypt(kSimple, kSimple)); }

TEST(Bcrypt, AllPrefixesMeanTheSame) {
  for (const char* prefix : {"$2a$", "$2b$", "$2y$"}) {
    EXPECT_TRUE(MatchesBcrypt("U*U", prefix + std::string(kSimple.substr(4)))) << prefix;
  }
}

TEST(Bcrypt, ANulDoesNotEndThePassword) {
  EXPECT_FALSE(MatchesBcrypt(std::string_view("U*U\0wrong", 9), kSimple));
  EXPECT_FALSE(MatchesBcrypt(std::string_view("U*U\0", 4), kSimple));
}

TEST(Bcrypt, OnlyTheFirst72BytesCountAsInEveryBcrypt) {
  EXPECT_TRUE(MatchesBcrypt(kLongPassword, kLong));
  EXPECT_TRUE(MatchesBcrypt(std::string(kLongPassword) + "chars after 72 are ignored", kLong));
  EXPECT_TRUE(MatchesBcrypt(std::string(kLongPassword) + std::string(10'000, 'x'), kLong)) << "crypt_r takes 511";
  EXPECT_FALSE(MatchesBcrypt(kLongPassword.substr(0, 71), kLong));
}

TEST(Bcrypt, BytesAbove127CountInFull) {
  EXPECT_TRUE(MatchesBcrypt("\xFF\xFF\xA3", kEightBit));
  EXPECT_FALSE(MatchesBcrypt("\xFF\xFE\xA3", kEightBit));
}

TEST(Bcrypt, WhatFollowsTheHashIsIgnoredAsGoDoes) { EXPECT_TRUE(MatchesBcrypt("U*U", std::string(kSimple) + "\n")); }

TEST(Bcrypt, AHashOfAnotherKindIsRefusedAndNeverMatches) {
  const std::string rest(kSimple.substr(4));
  for (const std::string& hash :
       {std::string("secret"), std::string(""), "$1a$" + rest, "$2x$" + rest, "$2c$" + rest, "$2$" + rest,
        "$3a$" + rest, " " + std::string(kSimple), std::string(kSimple.substr(0, 59)), std::string("ab1YNTVmVPN3E"),
        std::string("$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW."),
        std::string("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO:*")}) {
    EXPECT_FALSE(CheckBcryptHash(hash)) << hash;
    EXPECT_FALSE(MatchesBcrypt("U*U", hash)) << hash;
    EXPECT_FALSE(MatchesBcrypt("secret", hash)) << hash;
  }
}

TEST(Bcrypt, TheCostIsBounded) {
  const auto with_cost = [](const std::string& cost) { return "$2a$" + cost + std::string(kSimple.substr(6)); };
  EXPECT_FALSE(CheckBcryptHash(with_cost("03")));
  EXPECT_TRUE(CheckBcryptHash(with_cost("04")));
  EXPECT_TRUE(CheckBcryptHash(with_cost("14")));
  for (const char* cost : {"15", "18", "31", "99"}) {
    const auto refused = CheckBcryptHash(with_cost(cost));
    ASSERT_FALSE(refused) << cost;
    EXPECT_NE(refused.error().message.find(cost), std::string::npos) << refused.error().message;
    EXPECT_FALSE(MatchesBcrypt("U*U", with_cost(cost))) << "and this test would not end";
  }
}

}  // namespace
}  // namespace finwait::web_config
