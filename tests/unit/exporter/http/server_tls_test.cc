#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <list>
#include <memory>
#include <string>

#include "exporter/web_config/tls_context.h"
#include "tests/lab/certificates.h"
#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;
using testing_client::ParseReply;
using testing_client::Reply;

/// Sessions of one certificate, or none at all.
class FixedSessions final : public TlsSessions {
 public:
  explicit FixedSessions(const lab::Certificate& certificate) {
    auto context = web_config::MakeTlsContext({}, {{"cert", certificate.pem}, {"key", certificate.key_pem}, {}});
    EXPECT_TRUE(context) << context.error().message;
    context_ = std::move(*context);
  }
  SslPtr NewSession() override { return available ? SslPtr(SSL_new(context_.get())) : nullptr; }

  std::atomic<bool> available = true;

 private:
  web_config::SslContextPtr context_;
};

/// A TLS client that does exactly what it is told.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : client_(port, "127.0.0.1", "127.0.0.1", receive_buffer_bytes), context_(SSL_CTX_new(TLS_client_method())) {
    session_ = SslPtr(SSL_new(context_.get()));
    SSL_set_fd(session_.get(), client_.Fd());
  }
  bool Handshake() { return SSL_connect(session_.get()) == 1; }
  bool Send(std::string_view data) {
    std::size_t sent = 0;
    return SSL_write_ex(session_.get(), data.data(), data.size(), &sent) == 1;
  }
  /// Everything until the server says that there is no more. `ended_well` when it has said so.
  std::string ReceiveAll() {
    std::string received;
    std::array<char, 16384> buffer;
    std::size_t length = 0;
    while (SSL_read_ex(session_.get(), buffer.data(), buffer.size(), &length) == 1) {
      received.append(buffer.data(), length);
    }
    ended_well = SSL_get_error(session_.get(), 0) == SSL_ERROR_ZERO_RETURN;
    return received;
  }
  Reply Ask(const std::string& path) {
    EXPECT_TRUE(Send(RequestFor(path)));
    return ParseReply(ReceiveAll());
  }
  Client& Raw() { return client_; }
  SSL* Session() { return session_.get(); }

  bool ended_well = false;

 private:
  Client client_;
  web_config::SslContextPtr context_;
  SslPtr session_;
};

class ServerTls : public ServerFixture {
 protected:
  ServerTls() { options_.tls = sessions_; }

  std::shared_ptr<FixedSessions> sessions_ = std::make_shared<FixedSessions>(lab::MakeCertificate({.name = "server"}));
};

TEST_F(ServerTls, ARequestIsAnsweredAndTheEndIsSaid) {
  Start();
  TlsClient client(Port());
  ASSERT_TRUE(client.Handshake());
  const Reply reply = client.Ask("/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, std::string(60'000, 'm'));
  EXPECT_TRUE(client.ended_well) << "without a close_notify the answer could have been cut";
}

TEST_F(ServerTls, ARequestMayComeInPiecesAndRecordsOfAnySize) {
  Start();
  TlsClient client(Port());
  ASSERT_TRUE(client.Handshake());
  for (const char c : RequestFor("/hello?name=" + std::string(100, 'x'))) {
    ASSERT_TRUE(client.Send({&c, 1}));
  }
  EXPECT_EQ(ParseReply(client.ReceiveAll()).body, "hello " + std::string(100, 'x'));
  TlsClient large(Port());
  ASSERT_TRUE(large.Handshake());
  // One record of more than the server reads at once: what waits in OpenSSL wakes no epoll.
  ASSERT_TRUE(large.Send("GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(15'000, 'x') + "\r\n\r\n"));
  EXPECT_EQ(ParseReply(large.ReceiveAll()).status, 200);
}

TEST_F(ServerTls, AHandshakeMayComeByteByByte) {
  Start();
  TlsClient client(Port());
  // The client's first message, taken from OpenSSL instead of sent.
  BIO* memory = BIO_new(BIO_s_mem());
  SSL_set_bio(client.Session(), BIO_new(BIO_s_mem()), memory);
  EXPECT_FALSE(client.Handshake());
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  ASSERT_GT(size, 100);
  for (long i = 0; i < size; ++i) {
    ASSERT_TRUE(client.Raw().Send({data + i, 1}));
  }
  EXPECT_TRUE(client.Raw().HasReceived(5s)) << "the server's first message";
}

TEST_F(ServerTls, PlainHttpIs400InPlainAndOtherBytesAreCut) {
  Start();
  Client plain(Port());
  plain.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const Reply reply = plain.Receive();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, "Client sent an HTTP request to an HTTPS server.\n");
  for (const char* bytes : {"\r\n", "\x80\x2E\x01", "get / HTTP/1.1\r\n\r\n", "\x15\x03\x01"}) {
    Client other(Port());
    other.Send(bytes);
    EXPECT_EQ(other.ReceiveAll(), "") << bytes;
  }
}

TEST_F(ServerTls, GarbageAfterTheFirstByteIsAnAlertAndTheServerLives) {
  Start();
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\xFF\xFF", 5), "\x16" + std::string(1000, 'x'), std::string("\x16\x03\x01\x00\x00", 5),
        std::string("\x16\x03\x01\x00\x04\x01\xFF\xFF\xFF", 9)}) {
    Client client(Port());
    client.Send(bytes);
    client.ShutdownWriting();
    client.ReceiveAll();
  }
  TlsClient client(Port());
  ASSERT_TRUE(client.Handshake());
  EXPECT_EQ(client.Ask("/hello").status, 200);
}

TEST_F(ServerTls, WithoutASessionToBeHadTheClientIsToldOfAnInternalError) {
  sessions_->available = false;
  Start();
  {
    TlsClient client(Port());
    EXPECT_FALSE(client.Handshake());
    EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
  }
  ERR_clear_error();
  sessions_->available = true;
  TlsClient client(Port());
  ASSERT_TRUE(client.Handshake());
  EXPECT_EQ(client.Ask("/hello").status, 200);
}

TEST_F(ServerTls, TheDeadlineCountsFromTheConnectionOnWhateverTheHandshakeDoes) {
  options_.limits.connection_time = 400ms;
  Start();
  Client silent(Port());
  Client dripping(Port());
  const auto start = SteadyClock::now();
  dripping.Send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11));
  while (SteadyClock::now() - start < 5s && !dripping.HasReceived(20ms) && dripping.Send("x")) {
  }
  EXPECT_GE(SteadyClock::now() - start, 300ms);
  EXPECT_TRUE(dripping.IsEnded(2s));
  EXPECT_TRUE(silent.IsEnded(2s));
  TlsClient started(Port());  // and then says nothing
  ASSERT_TRUE(started.Handshake());
  EXPECT_EQ(started.ReceiveAll(), "");
  EXPECT_LT(SteadyClock::now() - start, 5s);
}

TEST_F(ServerTls, TheByteBudgetCountsRecordsAndNotOnlyWhatIsInThem) {
  Start();
  TlsClient client(Port());
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send("GET /hello HTTP/1.1\r\nHost: h\r\nX: "));
  int sent = 0;
  while (sent < 15'000 && client.Send("x")) {  // each byte in a record of 23
    ++sent;
  }
  client.Send("\r\n\r\n");
  EXPECT_EQ(client.ReceiveAll(), "");
}

TEST_F(ServerTls, ASlowReaderGetsAllOfALargeAnswerAndHoldsUpNobody) {
  Route("/big") = [](const httplib::Request&) { return MakeResponse(200, "text/plain", std::string(3'000'000, 'b')); };
  Start();
  TlsClient slow(Port(), 4096);
  ASSERT_TRUE(slow.Handshake());
  ASSERT_TRUE(slow.Send(RequestFor("/big")));
  ASSERT_TRUE(slow.Raw().HasReceived(5s));
  TlsClient other(Port());
  ASSERT_TRUE(other.Handshake());
  EXPECT_EQ(other.Ask("/hello").status, 200);
  const Reply reply = ParseReply(slow.ReceiveAll());
  EXPECT_EQ(reply.body.size(), 3'000'000U);
  EXPECT_TRUE(slow.ended_well);
}

TEST_F(ServerTls, NoSessionCanBeResumed) {
  Start();
  TlsClient first(Port());
  ASSERT_TRUE(first.Handshake());
  EXPECT_EQ(first.Ask("/hello").status, 200);
  SSL_SESSION* session = SSL_get1_session(first.Session());
  TlsClient second(Port());
  SSL_set_session(second.Session(), session);
  EXPECT_TRUE(second.Handshake());
  EXPECT_FALSE(SSL_session_reused(second.Session())) << "or it would live on under settings that are gone";
  SSL_SESSION_free(session);
}

TEST_F(ServerTls, AClientThatIsGoneInTheMiddleOfAHandshakeCostsNothing) {
  Start();
  const std::ptrdiff_t before = OpenDescriptors();
  for (int i = 0; i < 20; ++i) {
    Client client(Port());
    client.Send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11));
    const linger reset{1, i % 2};
    setsockopt(client.Fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  EXPECT_TRUE(lab::Eventually([&] { return OpenDescriptors() <= before; }));
}

}  // namespace
}  // namespace finwait::http
