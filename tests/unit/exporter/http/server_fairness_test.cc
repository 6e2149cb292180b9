// Whatever is scarce is given to the peer that has had least of it: one test for each scarce thing, each with one peer
// that takes all it can get.

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "exporter/web_config/tls_context.h"
#include "tests/lab/certificates.h"
#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;
using testing_client::ParseReply;

class ServerFairness : public ServerFixture {
 protected:
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
};

TEST_F(ServerFairness, TheFullestPeerLosesAConnectionAndWhoHoldsOneDoesNot) {
  options_.limits.connections = 16;
  options_.limits.connections_per_peer = 16;
  Start();
  Client oldest(Port(), "127.0.0.2");
  oldest.Send("GET /hello HTTP/1.1\r\n");
  std::list<Client> flood;
  for (int i = 0; i < 100; ++i) {
    flood.emplace_back(Port(), "127.0.0." + std::to_string(3 + i % 3));
  }
  EXPECT_TRUE(flood.front().IsEnded(2s));
  oldest.Send("Host: h\r\n\r\n");
  EXPECT_EQ(oldest.Receive().status, 200) << "the oldest of all, and the only one of its peer";
}

TEST_F(ServerFairness, OfPeersThatHoldOneEachTheOneThatHasHeldLongestLosesIt) {
  options_.limits.connections = 4;
  Start();
  Client newest_of_the_old(Port(), "127.0.0.2");
  Client old(Port(), "127.0.0.3");
  old.Send("GET /hello HTTP/1.1\r\n");
  ASSERT_FALSE(old.HasReceived(100ms));
  newest_of_the_old = Client(Port(), "127.0.0.2");  // it has held for as long, and a little more
  std::list<Client> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back(Port(), "127.0.0." + std::to_string(4 + i));
  }
  EXPECT_TRUE(newest_of_the_old.IsEnded(2s));
  old.Send("Host: h\r\n\r\n");
  EXPECT_EQ(old.Receive().status, 200);
}

TEST_F(ServerFairness, AFullRouteGroupMakesRoomForWhoHasNothingThere) {
  Route("/metrics") = [this](const httplib::Request&) {
    released_.wait();
    return MakeResponse(200, "text/plain", "m");
  };
  options_.route_groups[1].capacity = 8;
  Start();
  std::list<Client> flood;
  for (int i = 0; i < 8; ++i) {
    flood.emplace_back(Port(), "127.0.0.2");
    flood.back().Send(RequestFor("/metrics"));
  }
  Client another(Port(), "127.0.0.2");
  another.Send(RequestFor("/metrics"));
  EXPECT_EQ(another.Receive().status, 503);
  Client other(Port(), "127.0.0.3");
  other.Send(RequestFor("/metrics"));
  EXPECT_EQ(flood.back().Receive().status, 503) << "the newest of the fullest";
  release_.set_value();
  EXPECT_EQ(other.Receive().status, 200);
  EXPECT_EQ(flood.front().Receive().status, 200);
}

TEST_F(ServerFairness, OnePeersRequestsLeaveAWorkerToOthers) {
  Route("/slow") = [this](const httplib::Request&) {
    released_.wait();
    return MakeResponse(200, "text/plain", "s");
  };
  Start();
  std::list<Client> flood;
  for (int i = 0; i < 10; ++i) {
    flood.emplace_back(Port(), "127.0.0.2");
    flood.back().Send(RequestFor("/slow"));
  }
  Client other(Port(), "127.0.0.3");
  other.Send(RequestFor("/hello"));
  EXPECT_EQ(other.Receive().status, 200);
  release_.set_value();
  for (Client& client : flood) {
    EXPECT_EQ(client.Receive().status, 200);
  }
}

TEST_F(ServerFairness, ProbesAreOutsideOfLimits) {
  options_.route_groups[0].is_unlimited = true;
  options_.route_groups[0].capacity = 1;
  options_.route_groups[0].routes["/healthz"] = [this](const httplib::Request&) {
    released_.wait();
    return MakeResponse(200, "text/plain", "ok");
  };
  Start();
  std::list<Client> probes;
  for (int i = 0; i < 30; ++i) {
    probes.emplace_back(Port(), "127.0.0.2");
    probes.back().Send(RequestFor("/healthz"));
  }
  release_.set_value();
  for (Client& probe : probes) {
    EXPECT_EQ(probe.Receive().status, 200);
  }
}

/// Sessions whose handshakes wait until they may go on, and tell in which order they did.
class HeldSessions final : public TlsSessions {
 public:
  HeldSessions(std::shared_future<void> released, std::shared_future<void> first_may_go)
      : released_(std::move(released)), first_may_go_(std::move(first_may_go)) {
    const lab::Certificate certificate = lab::MakeCertificate({.name = "server"});
    auto context = web_config::MakeTlsContext({}, {{"cert", certificate.pem}, {"key", certificate.key_pem}, {}});
    EXPECT_TRUE(context) << context.error().message;
    context_ = std::move(*context);
    SSL_CTX_set_client_hello_cb(context_.get(), &HeldSessions::OnHello, this);
  }
  SslPtr NewSession() override { return SslPtr(SSL_new(context_.get())); }
  std::vector<std::string> Order() {
    const std::lock_guard lock(mutex_);
    return order_;
  }

 private:
  static int OnHello(SSL* session, int*, void* self) {
    static_cast<HeldSessions*>(self)->Hold(SSL_get_fd(session));
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  void Hold(int fd) {
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length);
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      is_first = order_.empty();
      order_.push_back("127.0.0." + std::to_string(ntohl(peer.sin_addr.s_addr) & 0xFF));
    }
    (is_first ? first_may_go_ : released_).wait();
  }

  std::shared_future<void> released_;
  std::shared_future<void> first_may_go_;
  std::mutex mutex_;
  std::vector<std::string> order_;
  web_config::SslContextPtr context_;
};

/// A TLS client from an address of its own.
class TlsPeer {
 public:
  TlsPeer(std::uint16_t port, const std::string& from)
      : client_(port, from), context_(SSL_CTX_new(TLS_client_method())) {
    session_ = SslPtr(SSL_new(context_.get()));
    SSL_set_fd(session_.get(), client_.Fd());
  }
  bool Handshake() { return SSL_connect(session_.get()) == 1; }
  /// Sends the first message of a handshake and no more.
  void SendHello() {
    BIO* memory = BIO_new(BIO_s_mem());
    SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), memory);
    SSL_connect(session_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    client_.Send({data, static_cast<std::size_t>(size)});
  }
  int Ask(const std::string& path) {
    const std::string request = RequestFor(path);
    SSL_write(session_.get(), request.data(), static_cast<int>(request.size()));
    testing_client::Reply reply;
    do {
      std::string more(4096, '\0');
      const int length = SSL_read(session_.get(), more.data(), static_cast<int>(more.size()));
      if (length <= 0) {
        return 0;
      }
      reply = ParseReply(reply.raw + more.substr(0, static_cast<std::size_t>(length)));
    } while (reply.status == 0 || std::to_string(reply.body.size()) != reply.Header("content-length"));
    return reply.status;
  }

 private:
  Client client_;
  web_config::SslContextPtr context_;
  SslPtr session_;
};

class ServerTlsFairness : public ServerFairness {
 protected:
  void StartTls() {
    options_.tls = sessions_;
    Start();
  }
  std::promise<void> first_;
  std::shared_ptr<HeldSessions> sessions_ = std::make_shared<HeldSessions>(released_, first_.get_future().share());
};

TEST_F(ServerTlsFairness, AHandshakeThatTakesLongHoldsUpNoEstablishedConnection) {
  options_.limits.requests_per_connection = 10;
  StartTls();
  first_.set_value();
  TlsPeer established(Port(), "127.0.0.2");
  ASSERT_TRUE(established.Handshake());
  ASSERT_EQ(established.Ask("/hello"), 200) << "its handshake is over on both sides";
  TlsPeer slow(Port(), "127.0.0.3");
  slow.SendHello();
  ASSERT_TRUE(lab::Eventually([&] { return sessions_->Order().size() == 2; }));
  std::future<int> answer = std::async(std::launch::async, [&] { return established.Ask("/hello"); });
  const bool in_time = answer.wait_for(3s) == std::future_status::ready;
  release_.set_value();
  EXPECT_TRUE(in_time);
  EXPECT_EQ(answer.get(), 200);
}

TEST_F(ServerTlsFairness, HandshakesOfAFloodLeaveTheNextTurnToOthers) {
  StartTls();
  release_.set_value();
  std::list<TlsPeer> flood;
  for (int i = 0; i < 30; ++i) {
    flood.emplace_back(Port(), "127.0.0.2");
    flood.back().SendHello();
  }
  ASSERT_TRUE(lab::Eventually([&] { return sessions_->Order().size() == 1; }));
  std::future<bool> other = std::async(std::launch::async, [this] {
    TlsPeer peer(Port(), "127.0.0.3");
    return peer.Handshake() && peer.Ask("/hello") == 200;
  });
  std::this_thread::sleep_for(200ms);  // the flood's head start over the other's hello, not a wait for the server
  first_.set_value();
  EXPECT_TRUE(other.get());
  const std::vector<std::string> order = sessions_->Order();
  ASSERT_GE(order.size(), 2u);
  EXPECT_EQ(order[1], "127.0.0.3");
}

TEST_F(ServerTlsFairness, WhoIsEndedWhileItsHandshakeWaitsLeavesNothingBehind) {
  options_.limits.connections = 8;
  options_.limits.connections_per_peer = 4;
  StartTls();
  release_.set_value();
  {
    std::list<TlsPeer> flood;
    for (int i = 0; i < 60; ++i) {
      flood.emplace_back(Port(), "127.0.0." + std::to_string(2 + i % 5));
      flood.back().SendHello();
    }
    ASSERT_TRUE(lab::Eventually([&] { return sessions_->Order().size() == 1; }));
    first_.set_value();
  }
  TlsPeer other(Port(), "127.0.0.9");
  ASSERT_TRUE(other.Handshake());
  EXPECT_EQ(other.Ask("/hello"), 200);
}

}  // namespace
}  // namespace finwait::http
