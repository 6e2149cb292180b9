#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <optional>
#include <thread>

#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;

class ServerStop : public ServerFixture {
 protected:
  /// How long Stop takes.
  SteadyClock::duration Stop() {
    const auto start = SteadyClock::now();
    server_->Stop();
    return SteadyClock::now() - start;
  }
};

TEST_F(ServerStop, IsImmediateWhenNothingIsUnderWay) {
  Start();
  Client idle(Port());
  Client partial(Port());
  partial.Send("GET /hel");
  EXPECT_EQ(Get("/hello").status, 200);
  EXPECT_LT(Stop(), 500ms);
  EXPECT_TRUE(idle.IsEnded(1s));
  EXPECT_TRUE(partial.IsEnded(1s));
  EXPECT_LT(Stop(), 10ms) << "a second time does nothing";
}

TEST_F(ServerStop, LetsARequestThatIsBeingAnsweredHaveItsAnswer) {
  std::promise<void> started;
  std::promise<void> release;
  Route("/slow") = [&](const httplib::Request&) {
    started.set_value();
    release.get_future().wait();
    return MakeResponse(200, "text/plain", std::string(50'000, 's'));
  };
  Start();
  const std::uint16_t port = Port();
  Client client(port);
  client.Send(RequestFor("/slow"));
  started.get_future().wait();
  std::future<void> stopped = std::async(std::launch::async, [&] { server_->Stop(); });
  const auto refused = [port] {  // the listening socket is gone
    try {
      Client another(port);
      return another.IsEnded(0ms);
    } catch (const std::runtime_error&) {
      return true;
    }
  };
  while (!refused()) {
    std::this_thread::yield();
  }
  release.set_value();
  EXPECT_EQ(client.Receive().body.size(), 50'000u);
  EXPECT_EQ(stopped.wait_for(3s), std::future_status::ready);
}

TEST_F(ServerStop, DoesNotWaitLongForAReaderThatDoesNotRead) {
  options_.limits.stop_time = 300ms;
  Route("/big") = [](const httplib::Request&) { return MakeResponse(200, "text/plain", std::string(8'000'000, 'b')); };
  Start();
  Client client(Port(), "127.0.0.1", "127.0.0.1", 4096);
  client.Send(RequestFor("/big"));
  ASSERT_EQ(Get("/hello").status, 200);
  EXPECT_LT(Stop(), 1s);
}

TEST_F(ServerStop, DoesNotHangUnderLoad) {
  for (int round = 0; round < 5; ++round) {
    Start();
    std::atomic<bool> stopping = false;
    std::atomic<int> answered = 0;
    std::vector<std::thread> clients;
    std::latch warm(8 * 3);
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&, i] {
        for (int request = 0; !stopping; ++request) {
          try {
            Client client(Port());
            client.Send(i % 2 == 0 ? RequestFor("/metrics") : RequestFor("/healthz"));
            answered += client.Receive(2s).status == 200;
          } catch (const std::runtime_error&) {
            std::this_thread::yield();  // stopped: refused
          }
          if (request < 3) {
            warm.count_down();
          }
        }
      });
    }
    warm.wait();
    EXPECT_LT(Stop(), 3s);
    stopping = true;
    for (std::thread& client : clients) {
      client.join();
    }
    EXPECT_GE(answered, 24);
  }
}

}  // namespace
}  // namespace finwait::http
