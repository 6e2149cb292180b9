#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <future>
#include <list>
#include <sstream>
#include <thread>

#include "exporter/service/memory_policy.h"
#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;
using testing_client::Reply;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;  // a sanitizer's own memory would be measured
#else
constexpr bool kMemoryIsOurs = true;
#endif

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Sockets of a local port that the kernel keeps trying to finish, process or not: state FIN_WAIT1 in /proc/net/tcp.
int StuckSockets(std::uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  std::ostringstream suffix;
  suffix << ':' << std::uppercase << std::hex << port;
  int stuck = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string peer;
    std::string state;
    fields >> number >> local >> peer >> state;
    stuck += local.ends_with(suffix.str()) && state == "04";
  }
  return stuck;
}

class ServerAbuse : public ServerFixture {
 protected:
  static void SetUpTestSuite() { service::ConfigureAllocator(); }  // as main does

  /// Expects a request to be answered within a second.
  void ExpectAnswered(const std::string& path) {
    const auto start = SteadyClock::now();
    EXPECT_EQ(Get(path).status, 200) << path;
    EXPECT_LT(SteadyClock::now() - start, 1s) << path;
  }
};

/// 64 clients that send a byte now and then, 200 that send nothing, one with a header of 50 MB: all at once.
class Siege {
 public:
  /// Client number i comes from `from(i)`.
  Siege(std::uint16_t port, const std::function<std::string(int)>& from) {
    for (int i = 0; i < 200; ++i) {
      idle_.emplace_back(port, from(i));
    }
    for (int i = 0; i < 64; ++i) {
      slow_.emplace_back(port, from(200 + i));
      slow_.back().Send("GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
    }
    dripper_ = std::thread([this] {
      while (!over_) {
        for (Client& client : slow_) {
          client.Send("x");
        }
        std::this_thread::sleep_for(10ms);
      }
    });
    flooder_ = std::thread([this, port, address = from(264)] {
      const std::string megabyte(1'000'000, 'x');
      while (!over_) {
        Client client(port, address);
        client.Send("GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
        for (int i = 0; i < 50 && client.Send(megabyte); ++i) {
        }
        ++floods_;
      }
    });
    while (floods_ < 3) {
      std::this_thread::yield();
    }
  }
  ~Siege() {
    over_ = true;
    dripper_.join();
    flooder_.join();
  }

 private:
  std::list<Client> idle_;
  std::list<Client> slow_;
  std::atomic<bool> over_ = false;
  std::atomic<int> floods_ = 0;
  std::thread dripper_;
  std::thread flooder_;
};

TEST_F(ServerAbuse, SlowIdleAndHugeClientsAtOnceHoldUpNobody) {
  Start();
  ExpectAnswered("/metrics");
  const std::size_t before = ResidentBytes();
  for (const bool same_peer : {true, false}) {
    SCOPED_TRACE(same_peer ? "from the address of the victim" : "from 265 addresses");
    Start();  // for one that does not know that the victim's address has held 265 connections
    const Siege siege(Port(), [same_peer](int i) {
      return same_peer ? "127.0.0.1" : "127.0." + std::to_string(1 + i / 200) + "." + std::to_string(1 + i % 200);
    });
    for (int i = 0; i < 20; ++i) {
      ExpectAnswered("/healthz");
      ExpectAnswered("/metrics");
    }
  }
  if (kMemoryIsOurs) {
    EXPECT_LT(ResidentBytes(), before + 16'000'000);
  }
}

TEST_F(ServerAbuse, ManySlowReadersHoldUpNobodyAndTheirMemoryIsBounded) {
  constexpr std::size_t kBody = 2'000'000;
  Route("/big") = [](const httplib::Request&) { return MakeResponse(200, "text/plain", std::string(kBody, 'b')); };
  options_.limits.unsent_bytes = 10'000'000;
  Start();
  ExpectAnswered("/big");
  const std::size_t before = ResidentBytes();
  std::list<Client> readers;
  for (int i = 0; i < 64; ++i) {
    readers.emplace_back(Port(), "127.0.0." + std::to_string(2 + i % 8), "127.0.0.1", 4096);
    readers.back().Send(RequestFor("/big"));
    if (i % 8 == 7) {
      ExpectAnswered("/metrics");
    }
  }
  ExpectAnswered("/healthz");
  if (kMemoryIsOurs) {
    EXPECT_LT(ResidentBytes(), before + 30'000'000) << "64 bodies are 128 MB";
  }
  EXPECT_TRUE(readers.front().IsEnded(2s)) << "the oldest gave way";
}

TEST_F(ServerAbuse, ARequestThatDoesNotArriveInTimeIs408HoweverManyBytesItSends) {
  options_.limits.connection_time = 400ms;
  Start();
  Client silent(Port());
  Client partial(Port());
  partial.Send("GET /metrics HTTP/1.1\r\n");
  Client dripping(Port());
  const auto start = SteadyClock::now();
  dripping.Send("GET / HTTP/1.1\r\nX: ");
  while (SteadyClock::now() - start < 2s && dripping.ReceiveAll(20ms).empty() && dripping.Send("x")) {
  }
  const auto lasted = SteadyClock::now() - start;
  EXPECT_GE(lasted, 300ms);
  EXPECT_LT(lasted, 1s);
  EXPECT_EQ(partial.Receive(1s).status, 408);
  EXPECT_EQ(silent.ReceiveAll(1s), "") << "nothing was asked";
}

TEST_F(ServerAbuse, AResponseThatIsNotReadInTimeIsCutAndLeavesNoSocketBehind) {
  options_.limits.connection_time = 400ms;
  Route("/big") = [](const httplib::Request&) { return MakeResponse(200, "text/plain", std::string(8'000'000, 'b')); };
  Start();
  Client reader(Port(), "127.0.0.1", "127.0.0.1", 4096);
  reader.Send(RequestFor("/big"));
  std::this_thread::sleep_for(700ms);  // the reader's slowness, not a wait for the server
  EXPECT_EQ(StuckSockets(Port()), 0) << "the kernel would retry it for minutes";
  EXPECT_LT(reader.ReceiveAll(2s).size(), 8'000'000u);
}

TEST_F(ServerAbuse, AClientThatNeverClosesIsLetGo) {
  options_.limits.half_close_time = 200ms;
  Start();
  Client first(Port());
  first.Send(RequestFor("/hello"));
  EXPECT_EQ(first.Receive().status, 200);
  // The server's end is closed for good once sending to it is answered by RST.
  EXPECT_TRUE(lab::Eventually([&] { return !first.Send("x"); }, 2));
}

TEST_F(ServerAbuse, ThePeerWithTooManyConnectionsLosesItsOldest) {
  options_.limits.connections_per_peer = 4;
  Start();
  Client other(Port(), "127.0.0.2");
  other.Send("GET /hello HTTP/1.1\r\n");
  std::list<Client> many;
  for (int i = 0; i < 6; ++i) {
    many.emplace_back(Port(), "127.0.0.3");
    many.back().Send("GET /hello HTTP/1.1\r\n");
  }
  EXPECT_TRUE(many.front().IsEnded(2s));
  many.pop_front();
  EXPECT_TRUE(many.front().IsEnded(2s));
  many.pop_front();
  for (Client& client : many) {
    client.Send("Host: h\r\n\r\n");
    EXPECT_EQ(client.Receive().status, 200);
  }
  other.Send("Host: h\r\n\r\n");
  EXPECT_EQ(other.Receive().status, 200);
}

TEST_F(ServerAbuse, TheOldestConnectionGivesWayWhenThereAreTooMany) {
  options_.limits.connections = 8;
  Start();
  std::list<Client> clients;
  for (int i = 0; i < 9; ++i) {
    clients.emplace_back(Port(), "127.0.0." + std::to_string(10 + i));
    clients.back().Send("GET /hello HTTP/1.1\r\n");
  }
  EXPECT_TRUE(clients.front().IsEnded(2s));
  clients.pop_front();
  for (Client& client : clients) {
    client.Send("Host: h\r\n\r\n");
    EXPECT_EQ(client.Receive().status, 200);
  }
}

TEST_F(ServerAbuse, ARouteGroupThatIsFullIs503AndLeavesTheOthersAlone) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  Route("/metrics") = [released](const httplib::Request&) {
    released.wait();
    return MakeResponse(200, "text/plain", "m");
  };
  options_.route_groups[1].capacity = 40;
  Start();
  std::list<Client> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.emplace_back(Port());
    waiting.back().Send(RequestFor("/metrics"));
  }
  Reply refused;  // by the 41st that is seen to have arrived
  ASSERT_TRUE(lab::Eventually([&] {
    Client client(Port());
    client.Send(RequestFor("/metrics"));
    refused = client.Receive(100ms);
    return refused.status == 503;
  }));
  EXPECT_EQ(refused.body, "Limit of concurrent requests reached (40), try again later.\n");
  EXPECT_EQ(refused.Header("retry-after"), "1");
  ExpectAnswered("/healthz");
  release.set_value();
  for (Client& client : waiting) {
    EXPECT_EQ(client.Receive().status, 200);
  }
  ExpectAnswered("/metrics");
}

TEST_F(ServerAbuse, AClientThatIsGoneBeforeItsAnswerCostsNothing) {
  std::promise<void> started;
  std::promise<void> release;
  Route("/slow") = [&](const httplib::Request&) {
    started.set_value();
    release.get_future().wait();
    return MakeResponse(200, "text/plain", "late");
  };
  Start();
  {
    Client client(Port());
    client.Send(RequestFor("/slow"));
    started.get_future().wait();
    const linger reset{1, 0};
    setsockopt(client.Fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(300ms);  // the handler's slowness
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 10) << "the event loop spins";
  release.set_value();
  ExpectAnswered("/hello");
}

TEST_F(ServerAbuse, AClientThatGoesOnSendingAfterARefusalIsCutOff) {
  Start();
  Client client(Port());
  client.Send("POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n");
  EXPECT_FALSE(client.Send(std::string(50'000'000, 'x')));
}

TEST_F(ServerAbuse, HealthIsAnsweredWhileMetricsAreFlooded) {
  Start();
  std::atomic<bool> over = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> flood;
  for (int i = 0; i < 16; ++i) {
    flood.emplace_back([&] {
      while (!over) {
        const int status = Get("/metrics").status;
        EXPECT_TRUE(status == 200 || status == 503) << status;
        ++answered;
      }
    });
  }
  for (int i = 0; i < 50 || answered < 200; ++i) {
    ExpectAnswered("/healthz");
  }
  over = true;
  for (std::thread& thread : flood) {
    thread.join();
  }
}

}  // namespace
}  // namespace finwait::http
