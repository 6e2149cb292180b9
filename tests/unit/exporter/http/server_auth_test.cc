#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <list>

#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;

/// Does as a test says.
class ScriptedAuth final : public AuthMiddleware {
 public:
  Decision Decide(const Peer&, const RequestHead& head, bool is_unlimited) override {
    ++asked;
    unlimited += is_unlimited;
    return decide(head);
  }

  std::function<Decision(const RequestHead&)> decide = [](const RequestHead&) { return Decision(); };
  std::atomic<int> asked = 0;
  std::atomic<int> unlimited = 0;
};

class ServerAuth : public ServerFixture {
 protected:
  ServerAuth() { options_.auth = auth_; }
  /// A test that has failed half way leaves checks that wait.
  ~ServerAuth() override {
    if (released_.wait_for(0s) != std::future_status::ready) {
      release_.set_value();
    }
    server_.reset();
  }

  /// Every request is checked for as long as `release_` is not set, or until one of `permits_` is there for it; those
  /// for /metrics then pass.
  void CheckSlowly() {
    auth_->decide = [this](const RequestHead& head) {
      AuthMiddleware::Decision decision;
      if (head.path != "/healthz") {
        decision.check = [this, passes = head.path == "/metrics"]() -> std::optional<HttpResponse> {
          ++running_;
          while (hold_ && !(passes && right_ones_pass_at_once_) &&
                 released_.wait_for(1ms) != std::future_status::ready && !TakePermit()) {
          }
          return passes ? std::nullopt : std::optional(MakeResponse(401, "text/plain", "no\n"));
        };
      }
      return decision;
    };
  }

  bool TakePermit() {
    int permits = permits_;
    return permits > 0 && permits_.compare_exchange_strong(permits, permits - 1);
  }

  std::atomic<bool> hold_ = true;
  std::atomic<bool> right_ones_pass_at_once_ = false;
  std::atomic<int> permits_ = 0;
  std::atomic<int> running_ = 0;
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
  std::shared_ptr<ScriptedAuth> auth_ = std::make_shared<ScriptedAuth>();
};

TEST_F(ServerAuth, WhoIsRefusedMeetsNoRoute) {
  std::atomic<int> handled = 0;
  Route("/metrics") = [&handled](const httplib::Request&) {
    ++handled;
    return MakeResponse(200, "text/plain", "m");
  };
  auth_->decide = [](const RequestHead&) {
    AuthMiddleware::Decision decision;
    decision.refusal = MakeResponse(401, "text/plain", "no\n");
    decision.refusal->headers.push_back({"WWW-Authenticate", "Basic"});
    decision.headers.push_back({"X-Frame-Options", "deny"});
    return decision;
  };
  Start();
  for (const char* path : {"/metrics", "/healthz", "/nonsense"}) {
    const auto reply = Get(path);
    EXPECT_EQ(reply.status, 401) << path;
    EXPECT_EQ(reply.body, "no\n");
    EXPECT_EQ(reply.Header("www-authenticate"), "Basic");
    EXPECT_EQ(reply.Header("x-frame-options"), "deny");
  }
  EXPECT_EQ(Get("/metrics", "", "HEAD").body, "");
  EXPECT_EQ(handled, 0);
}

TEST_F(ServerAuth, ItsHeadersAreOnEveryAnswerThatDoesNotSetThemItself) {
  Route("/own") = [](const httplib::Request&) {
    HttpResponse response = MakeResponse(200, "text/plain", "");
    response.headers.push_back({"Content-Security-Policy", "own"});
    return response;
  };
  auth_->decide = [](const RequestHead&) {
    AuthMiddleware::Decision decision;
    decision.headers = {{"Content-Security-Policy", "auth"}, {"X-Frame-Options", "deny"}};
    return decision;
  };
  Start();
  EXPECT_EQ(Get("/own").headers.count("content-security-policy"), 1U);
  EXPECT_EQ(Get("/own").Header("content-security-policy"), "own");
  EXPECT_EQ(Get("/own").Header("x-frame-options"), "deny");
  EXPECT_EQ(Get("/nonsense").Header("x-frame-options"), "deny");
  EXPECT_EQ(Get("/nonsense").Header("content-security-policy"), "auth");
}

TEST_F(ServerAuth, WhatIsMalformedIsRefusedBeforeItIsAsked) {
  Start();
  EXPECT_EQ(Get("/metrics", "", "POST").status, 405);
  EXPECT_EQ(Get("/metrics", "Content-Length: 5\r\n").status, 413);
  EXPECT_EQ(auth_->asked, 0);
}

TEST_F(ServerAuth, AChecksVerdictDecides) {
  CheckSlowly();
  release_.set_value();
  Start();
  EXPECT_EQ(Get("/metrics").status, 200);
  EXPECT_EQ(Get("/hello").status, 401);
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(ServerAuth, ChecksThatTakeLongHoldUpNobodyElse) {
  CheckSlowly();
  options_.limits.checks_per_peer = 2;
  Start();
  std::list<Client> waiting;
  for (int i = 0; i < 6; ++i) {
    waiting.emplace_back(Port(), "127.0.0." + std::to_string(2 + i / 2));
    waiting.back().Send(RequestFor("/metrics"));
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Get("/healthz").status, 200);
  }
  release_.set_value();
  for (Client& client : waiting) {
    EXPECT_EQ(client.Receive().status, 200);
  }
}

TEST_F(ServerAuth, WhoHasTooManyChecksWaitingIs503AndOthersAreNot) {
  CheckSlowly();
  options_.limits.checks_per_peer = 1;
  Start();
  Client first(Port(), "127.0.0.2");
  first.Send(RequestFor("/metrics"));
  ASSERT_TRUE(lab::Eventually([&] { return running_ == 1; }));
  Client second(Port(), "127.0.0.2");
  second.Send(RequestFor("/metrics"));
  ASSERT_TRUE(lab::Eventually([&] { return auth_->asked == 2; }));
  Client third(Port(), "127.0.0.2");
  third.Send(RequestFor("/metrics"));
  const auto refused = third.Receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("retry-after"), "1");
  Client other(Port(), "127.0.0.3");
  other.Send(RequestFor("/metrics"));
  EXPECT_FALSE(other.HasReceived(100ms));
  release_.set_value();
  EXPECT_EQ(first.Receive().status, 200);
  EXPECT_EQ(second.Receive().status, 200);
  EXPECT_EQ(other.Receive().status, 200);
}

TEST_F(ServerAuth, WhoHasNotBeenCheckedYetIsNextHoweverManyGuess) {
  CheckSlowly();
  options_.limits.checks = 8;
  hold_ = false;
  Start();
  const auto guess_from = [](int i) { return "127.0.0." + std::to_string(2 + i % 20); };
  for (int i = 0; i < 20; ++i) {
    Client guess(Port(), guess_from(i));
    guess.Send(RequestFor("/hello"));
    EXPECT_EQ(guess.Receive().status, 401);
  }
  hold_ = true;
  right_ones_pass_at_once_ = true;
  std::list<Client> guesses;
  for (int i = 0; i < 40; ++i) {  // five times what the queue holds
    guesses.emplace_back(Port(), guess_from(i));
    guesses.back().Send(RequestFor("/hello"));
  }
  ASSERT_TRUE(lab::Eventually([&] { return auth_->asked == 60 && running_ >= 21; }));
  Client other(Port(), "127.0.0.99");
  other.Send(RequestFor("/metrics"));
  ASSERT_TRUE(lab::Eventually([&] { return auth_->asked == 61; }));
  permits_ = 1;  // for a guess that is under way: both threads may have one
  EXPECT_EQ(other.Receive().status, 200) << "while all other guesses wait";
  release_.set_value();
}

TEST_F(ServerAuth, AProbeThatHasComeIsReadBeforeItsPeersOldestIsEnded) {
  options_.route_groups[0].is_unlimited = true;
  options_.limits.connections_per_peer = 4;
  auth_->decide = [this](const RequestHead& head) {
    if (head.path == "/hello") {
      ++running_;
      released_.wait();  // nobody's turn comes meanwhile
    }
    return AuthMiddleware::Decision();
  };
  Start();
  Client busy(Port(), "127.0.0.2");
  busy.Send(RequestFor("/hello"));
  ASSERT_TRUE(lab::Eventually([&] { return running_ == 1; }));
  Client probe(Port(), "127.0.0.3");
  probe.Send(RequestFor("/healthz"));
  std::list<Client> flood;
  for (int i = 0; i < 20; ++i) {
    flood.emplace_back(Port(), "127.0.0.3");
  }
  release_.set_value();
  EXPECT_EQ(probe.Receive().status, 200);
}

TEST_F(ServerAuth, WhatACheckThrowsIs500) {
  auth_->decide = [](const RequestHead&) {
    AuthMiddleware::Decision decision;
    decision.check = []() -> std::optional<HttpResponse> { throw std::bad_alloc(); };
    return decision;
  };
  Start();
  EXPECT_EQ(Get("/metrics").status, 500);
  EXPECT_EQ(Get("/metrics").status, 500);
}

TEST_F(ServerAuth, AStopDoesNotWaitForChecksThatWait) {
  CheckSlowly();
  options_.limits.stop_time = 100ms;
  options_.limits.checks_per_peer = 8;
  Start();
  std::list<Client> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back(Port());
    waiting.back().Send(RequestFor("/metrics"));
  }
  ASSERT_TRUE(lab::Eventually([&] { return auth_->asked == 3; }));
  std::thread release([this] {
    std::this_thread::sleep_for(300ms);  // the length of the check under way
    release_.set_value();
  });
  server_->Stop();
  release.join();
}

}  // namespace
}  // namespace finwait::http
