#include "exporter/http/password_checks.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <atomic>
#include <future>

#include "tests/lab/connection.h"

namespace finwait::http {
namespace {

Peer PeerAt(const char* address) {
  sockaddr_storage storage{};
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
  ipv4.sin_family = AF_INET;
  inet_pton(AF_INET, address, &ipv4.sin_addr);
  return Peer(storage);
}

class PasswordChecksTest : public testing::Test {
 protected:
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
  std::atomic<int> done_ = 0;
  std::function<void()> task_ = [this] {
    released_.wait();
    ++done_;
  };
  const Peer one_ = PeerAt("192.0.2.1");
  const Peer two_ = PeerAt("192.0.2.2");
};

TEST_F(PasswordChecksTest, OnePeerTakesItsShareAndLeavesTheRestToOthers) {
  PasswordChecks checks(4, 2);
  EXPECT_TRUE(checks.Submit(one_, task_));
  EXPECT_TRUE(checks.Submit(one_, task_));
  EXPECT_FALSE(checks.Submit(one_, task_));
  EXPECT_TRUE(checks.Submit(two_, task_));
  release_.set_value();
  EXPECT_TRUE(lab::Eventually([this] { return done_ == 3; }));
}

TEST_F(PasswordChecksTest, AllTogetherAreBoundedAndARefusalCostsAPeerNothing) {
  PasswordChecks checks(1, 2);
  EXPECT_TRUE(checks.Submit(one_, task_));
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(checks.Submit(two_, task_));
  }
  release_.set_value();
  EXPECT_TRUE(lab::Eventually([&] { return checks.Submit(two_, task_); }));
  EXPECT_TRUE(lab::Eventually([this] { return done_ == 2; }));
}

TEST_F(PasswordChecksTest, APeersShareIsItsAgainWhenItsChecksAreDone) {
  PasswordChecks checks(8, 1);
  release_.set_value();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(lab::Eventually([&] { return checks.Submit(one_, task_); })) << i;
  }
  EXPECT_TRUE(lab::Eventually([this] { return done_ == 20; }));
}

}  // namespace
}  // namespace finwait::http
