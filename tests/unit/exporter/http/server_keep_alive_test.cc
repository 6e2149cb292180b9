#include <gtest/gtest.h>

#include <sys/socket.h>

#include <future>
#include <list>
#include <string>

#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;
using testing_client::ParseReply;
using testing_client::Reply;

class ServerKeepAlive : public ServerFixture {
 protected:
  ServerKeepAlive() { options_.limits.requests_per_connection = 3; }

  /// Asks on an open connection and reads one answer of that length.
  static Reply Ask(Client& client, const std::string& path, std::size_t body, const std::string& fields = "") {
    client.Send("GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    std::string raw;
    while (ParseReply(raw).body.size() < body && client.HasReceived(5s)) {
      std::string more(1, '\0');
      if (recv(client.Fd(), more.data(), 1, 0) != 1) {
        break;
      }
      raw += more;
    }
    return ParseReply(raw);
  }
};

TEST_F(ServerKeepAlive, AConnectionCarriesAsManyRequestsAsItMay) {
  Start();
  Client client(Port());
  for (int i = 0; i < 2; ++i) {
    const Reply reply = Ask(client, "/hello", 9);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.Header("keep-alive"), "timeout=75, max=3");
    EXPECT_EQ(reply.Header("connection"), "");
  }
  const Reply last = Ask(client, "/hello", 9);
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.Header("connection"), "close");
  EXPECT_TRUE(client.IsEnded(2s));
}

TEST_F(ServerKeepAlive, WhoAsksToCloseIsClosed) {
  Start();
  Client client(Port());
  EXPECT_EQ(Ask(client, "/hello", 9, "Connection: close\r\n").Header("connection"), "close");
  EXPECT_TRUE(client.IsEnded(2s));
  Client old(Port());
  old.Send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.Receive().Header("connection"), "close");
}

TEST_F(ServerKeepAlive, ARefusalEndsTheConnection) {
  Start();
  Client client(Port());
  EXPECT_EQ(Ask(client, "/hello", 9).status, 200);
  client.Send(RequestFor("/none"));
  EXPECT_EQ(client.Receive().status, 404);
  EXPECT_TRUE(client.IsEnded(2s));
}

TEST_F(ServerKeepAlive, WhoSendsAheadGetsOneAnswerAndTheEnd) {
  Start();
  Client client(Port());
  client.Send(RequestFor("/hello") + RequestFor("/hello"));
  const std::string raw = client.ReceiveAll();
  EXPECT_EQ(ParseReply(raw).body, "hello you");
  EXPECT_EQ(ParseReply(raw).Header("connection"), "close");
}

TEST_F(ServerKeepAlive, ARequestThatComesWhileOneIsAnsweredIsAnsweredNext) {
  std::promise<void> started;
  std::promise<void> release;
  Route("/slow") = [&](const httplib::Request&) {
    started.set_value();
    release.get_future().wait();
    return MakeResponse(200, "text/plain", "slow");
  };
  Start();
  Client client(Port());
  client.Send(RequestFor("/slow"));
  started.get_future().wait();
  client.Send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  release.set_value();
  const std::string raw = client.ReceiveAll();
  const std::size_t second = raw.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(ParseReply(raw.substr(0, second)).body, "slow");
  EXPECT_EQ(ParseReply(raw.substr(second)).body, "hello you");
}

TEST_F(ServerKeepAlive, AnIdleConnectionIsEndedWithoutAWord) {
  options_.limits.idle_time = 1s;
  Start();
  Client client(Port());
  EXPECT_EQ(Ask(client, "/hello", 9).Header("keep-alive"), "timeout=1, max=3");
  EXPECT_EQ(client.ReceiveAll(3s), "");
  EXPECT_TRUE(client.IsEnded(0ms));
}

TEST_F(ServerKeepAlive, EachRequestHasItsDeadline) {
  options_.limits.connection_time = 400ms;
  Start();
  Client client(Port());
  EXPECT_EQ(Ask(client, "/hello", 9).status, 200);
  EXPECT_EQ(client.ReceiveAll(600ms), "") << "idle for longer than a request may take";
  EXPECT_FALSE(client.IsEnded(0ms));
  client.Send("GET /hello HTTP/1.1\r\n");
  EXPECT_EQ(client.Receive(2s).status, 408);
}

TEST_F(ServerKeepAlive, AnIdleConnectionGivesWay) {
  options_.limits.connections = 4;
  Start();
  Client kept(Port(), "127.0.0.2");
  EXPECT_EQ(Ask(kept, "/hello", 9).status, 200);
  std::list<Client> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back(Port(), "127.0.0." + std::to_string(3 + i));
    EXPECT_EQ(Ask(others.back(), "/hello", 9).status, 200);
  }
  EXPECT_TRUE(kept.IsEnded(2s));
}

TEST_F(ServerKeepAlive, AStopEndsIdleConnectionsAtOnce) {
  Start();
  Client client(Port());
  EXPECT_EQ(Ask(client, "/hello", 9).status, 200);
  const auto start = SteadyClock::now();
  server_->Stop();
  EXPECT_LT(SteadyClock::now() - start, 1s);
  EXPECT_TRUE(client.IsEnded(1s));
}

}  // namespace
}  // namespace finwait::http
