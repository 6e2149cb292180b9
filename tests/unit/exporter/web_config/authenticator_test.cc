#include "exporter/web_config/authenticator.h"

#include <gtest/gtest.h>

#include <chrono>

#include "collectors/base/result.h"

namespace finwait::web_config {
namespace {

// The password is "U*U", at cost 5; that of exporter-toolkit's decoy is "fakepassword", at cost 10.
constexpr const char* kHash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
constexpr const char* kDecoy = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

class AuthenticatorTest : public testing::Test {
 protected:
  /// The verdict, the slow way where it has to be.
  bool IsRight(const std::string& user, const std::string& password) {
    const auto verdict = authenticator_.Check(users_, {user, password});
    was_known_ = std::holds_alternative<bool>(verdict);
    return was_known_ ? std::get<bool>(verdict) : std::get<Authenticator::PasswordCheck>(verdict)();
  }

  Authenticator::Users users_ = {{"alice", kHash}};
  Authenticator authenticator_;
  bool was_known_ = false;
};

TEST_F(AuthenticatorTest, TheRightPasswordIsRightAndKnownFromThenOn) {
  EXPECT_TRUE(IsRight("alice", "U*U"));
  EXPECT_FALSE(was_known_);
  EXPECT_TRUE(IsRight("alice", "U*U"));
  EXPECT_TRUE(was_known_);
}

TEST_F(AuthenticatorTest, AWrongPasswordIsWrongAndKnownFromThenOn) {
  EXPECT_FALSE(IsRight("alice", "guess"));
  EXPECT_FALSE(was_known_);
  EXPECT_FALSE(IsRight("alice", "guess"));
  EXPECT_TRUE(was_known_);
  EXPECT_TRUE(IsRight("alice", "U*U"));
}

TEST_F(AuthenticatorTest, AnUnknownUserIsWrongEvenWithAUsersPassword) {
  EXPECT_FALSE(IsRight("bob", "U*U"));
  EXPECT_FALSE(was_known_) << "the work must be done, or its time tells that there is no bob";
  EXPECT_FALSE(IsRight("bob", "U*U"));
  EXPECT_TRUE(was_known_);
}

TEST_F(AuthenticatorTest, APasswordOfAUserWhoIsGoneIsWrong) {
  EXPECT_TRUE(IsRight("alice", "U*U"));
  users_ = {{"bob", kHash}};
  EXPECT_FALSE(IsRight("alice", "U*U")) << "with the same hash in the file and the verdict remembered";
}

TEST_F(AuthenticatorTest, ANameThatBecomesAUserIsNotHeldToWhatItWasBefore) {
  EXPECT_FALSE(IsRight("bob", "U*U"));
  users_["bob"] = kHash;
  EXPECT_TRUE(IsRight("bob", "U*U"));
}

TEST_F(AuthenticatorTest, ANewHashIsAskedForAgain) {
  EXPECT_TRUE(IsRight("alice", "U*U"));
  users_["alice"] = kDecoy;
  EXPECT_FALSE(IsRight("alice", "U*U"));
  EXPECT_TRUE(IsRight("alice", "fakepassword"));
}

// CVE-2022-46146, as exporter-toolkit tests for it.
TEST_F(AuthenticatorTest, WhoKnowsAHashCannotPoisonTheCache) {
  EXPECT_FALSE(IsRight(std::string("alice") + kHash, "fakepassword"));
  EXPECT_FALSE(IsRight("alice", std::string(kDecoy) + "fakepassword"));
  EXPECT_FALSE(IsRight("alice", kHash));
  EXPECT_FALSE(IsRight("fakeuser", "fakepassword"));
  EXPECT_FALSE(IsRight("fakeuser", "fakepassword"));
}

TEST_F(AuthenticatorTest, AHashThatIsNoneLetsNobodyIn) {
  users_["alice"] = "secret";
  EXPECT_FALSE(IsRight("alice", "secret"));
  users_["alice"] = "";
  EXPECT_FALSE(IsRight("alice", ""));
}

TEST_F(AuthenticatorTest, ACheckMayOutliveTheAuthenticator) {
  Authenticator::PasswordCheck check;
  {
    const Authenticator brief;
    check = std::get<Authenticator::PasswordCheck>(brief.Check(users_, {"alice", "U*U"}));
  }
  EXPECT_TRUE(check());
}

}  // namespace
}  // namespace finwait::web_config
