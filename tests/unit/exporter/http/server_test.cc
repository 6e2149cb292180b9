#include "exporter/http/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>
#include <optional>
#include <stdexcept>

#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using testing::HasSubstr;
using testing_client::Client;
using testing_client::ParseReply;
using testing_client::Reply;

class Server : public ServerFixture {};

TEST_F(Server, AnswersGetAndClosesTheConnection) {
  Start();
  const Reply reply = Get("/hello");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello you");
  EXPECT_EQ(reply.Header("content-type"), "text/plain");
  EXPECT_EQ(reply.Header("connection"), "close");
}

TEST_F(Server, AnswersHeadWithTheLengthOfTheBodyAndWithoutIt) {
  Start();
  const Reply reply = Get("/metrics", "", "HEAD");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("content-length"), "60000");
  EXPECT_EQ(reply.body, "");
}

TEST_F(Server, DecodesPercentEncodingInPathAndQuery) {
  Start();
  EXPECT_EQ(Get("/%68ello?name=a%20b%26c").body, "hello a b&c");
  EXPECT_EQ(Get("/hello%2f").status, 404);
  EXPECT_EQ(Get("/hello%00").status, 404);
  EXPECT_EQ(Get("/hello%zz").status, 400);
}

TEST_F(Server, AnswersHttp10) {
  Start();
  Client client(Port());
  client.Send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "hello you");
}

TEST_F(Server, RefusesWhatItCannotAnswerWithTheRightStatus) {
  Start();
  EXPECT_EQ(Get("/none").status, 404);
  EXPECT_EQ(Get("/hello/").status, 404);
  EXPECT_EQ(Get("/none", "", "HEAD").body, "");
  const Reply post = Get("/hello", "Content-Length: 3\r\n", "POST");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.Header("allow"), "GET, HEAD");
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"}) {
    EXPECT_EQ(Get("/hello", "", method).status, 405) << method;
  }
  EXPECT_EQ(Get("/hello", "Content-Length: 3\r\n").status, 413);
  EXPECT_EQ(Get("/hello", "Transfer-Encoding: chunked\r\n").status, 413);
  EXPECT_EQ(Get("/" + std::string(9000, 'a')).status, 414);
  EXPECT_EQ(Get("/hello", "A: " + std::string(17'000, 'a') + "\r\n").status, 431);
  for (const char* garbage : {"hello\r\n", "GET /hello\r\n", "GET /hello HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02"}) {
    Client client(Port());
    client.Send(garbage);
    const Reply reply = client.Receive();
    EXPECT_EQ(reply.status, 400) << garbage;
    EXPECT_EQ(reply.Header("content-length"), std::to_string(reply.body.size()));
    EXPECT_EQ(reply.Header("connection"), "close");
  }
  Client client(Port());
  client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 505);
}

TEST_F(Server, IgnoresRange) {
  Start();
  for (const char* range : {"Range: bytes=0-9\r\n", "Range: bytes=0-1,5-6,9-\r\n", "Range: x\r\n"}) {
    const Reply reply = Get("/metrics", range);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body.size(), 60'000u);
    EXPECT_EQ(reply.Header("accept-ranges"), "");
  }
}

TEST_F(Server, AnswersOnlyTheFirstOfPipelinedRequestsAndAnswersItWhole) {
  Start();
  Client client(Port());
  client.Send(RequestFor("/metrics") + RequestFor("/hello"));
  const std::string raw = client.ReceiveAll();
  EXPECT_EQ(ParseReply(raw).body, std::string(60'000, 'm'));
}

TEST_F(Server, ARequestMayArriveByteByByte) {
  Start();
  Client client(Port());
  for (const char byte : RequestFor("/hello")) {
    client.Send({&byte, 1});
  }
  EXPECT_EQ(client.Receive().status, 200);
}

TEST_F(Server, AnswersAClientThatHasStoppedSending) {
  Start();
  Client client(Port());
  client.Send(RequestFor("/metrics"));
  client.ShutdownWriting();
  EXPECT_EQ(client.Receive().body.size(), 60'000u);
}

TEST_F(Server, ARefusalReachesAClientThatIsStillSending) {
  Start();
  Client client(Port());
  client.Send("POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 600000\r\n\r\n");
  ASSERT_TRUE(client.HasReceived(std::chrono::seconds(5)));
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(client.Send(std::string(100'000, 'x'))) << "cut off while it sends, it may never look at the answer";
  }
  EXPECT_EQ(client.Receive().status, 405);
}

TEST_F(Server, SurvivesClientsThatVanish) {
  Start();
  for (int i = 0; i < 50; ++i) {
    Client client(Port());
    client.Send(i % 2 == 0 ? RequestFor("/metrics") : "GET /met");
    const linger reset{1, 0};
    setsockopt(client.Fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  EXPECT_EQ(Get("/hello").status, 200);
}

TEST_F(Server, AHandlersExceptionIs500WithoutItsTextAndIsReported) {
  std::promise<std::string> reported;
  options_.report_exception = [&](std::string_view path, std::string_view what) {
    reported.set_value(std::string(path) + " " + std::string(what));
  };
  Route("/bad") = [](const httplib::Request&) -> HttpResponse { throw std::runtime_error("/etc/secret"); };
  Start();
  const Reply reply = Get("/bad");
  EXPECT_EQ(reply.status, 500);
  EXPECT_THAT(reply.raw, testing::Not(HasSubstr("secret")));
  std::future<std::string> report = reported.get_future();
  ASSERT_EQ(report.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_EQ(report.get(), "/bad /etc/secret");
}

TEST_F(Server, ListensOnSeveralAddressesAtOnce) {
  options_.addresses = {{"127.0.0.1", 0}, {"::1", 0}, {"localhost", 0}};
  Start();
  ASSERT_EQ(server_->Ports().size(), 3u);
  for (const auto& [port, address] : {std::pair(server_->Ports()[0], "127.0.0.1"),
                                      {server_->Ports()[1], "::1"},
                                      {server_->Ports()[2], "127.0.0.1"}}) {
    Client client(port, address, address);
    client.Send(RequestFor("/hello"));
    EXPECT_EQ(client.Receive().status, 200) << address;
  }
}

TEST_F(Server, AnEmptyHostListensOnBothFamilies) {
  options_.addresses = {{"", 0}};
  Start();
  for (const char* address : {"127.0.0.1", "::1"}) {
    Client client(Port(), address, address);
    client.Send(RequestFor("/hello"));
    EXPECT_EQ(client.Receive().status, 200) << address;
  }
}

TEST_F(Server, AnIpv6AddressLeavesIpv4ToOthers) {
  options_.addresses = {{"::", 0}};
  Start();
  ServerOptions ipv4 = options_;
  ipv4.addresses = {{"0.0.0.0", Port()}};
  EXPECT_TRUE(HttpServer::Start(ipv4));
}

TEST_F(Server, APortThatIsTakenIsAnErrorThatNamesIt) {
  Start();
  ServerOptions second = options_;
  for (const char* host : {"127.0.0.1", ""}) {
    second.addresses = {{"127.0.0.1", 0}, {host, Port()}};
    const auto server = HttpServer::Start(second);
    ASSERT_FALSE(server) << "two servers would share the port and split its requests";
    EXPECT_EQ(server.error().message,
              std::string("cannot listen on ") + host + ":" + std::to_string(Port()) + ": Address already in use");
    EXPECT_EQ(server.error().errno_code, EADDRINUSE);
  }
}

TEST_F(Server, APortIsNotSharedWithASocketThatWouldShareIt) {
  const UniqueFd other(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(other.Get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(other.Get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(other.Get(), 1), 0);
  getsockname(other.Get(), reinterpret_cast<sockaddr*>(&address), &length);
  options_.addresses = {{"127.0.0.1", ntohs(address.sin_port)}};
  EXPECT_FALSE(HttpServer::Start(options_));
}

TEST_F(Server, APortIsFreeAgainAsSoonAsTheServerHasStopped) {
  Start();
  options_.addresses[0].port = Port();
  EXPECT_EQ(Get("/hello").status, 200);  // leaves a socket in TIME_WAIT on the port
  server_->Stop();
  Start();
  EXPECT_EQ(Get("/hello").status, 200);
}

TEST_F(Server, AnAddressThatCannotBeHadIsAnErrorThatNamesIt) {
  options_.addresses = {{"192.0.2.77", 80}};
  EXPECT_THAT(HttpServer::Start(options_).error().message, HasSubstr("cannot listen on 192.0.2.77:80: "));
  options_.addresses = {{"no-such-host.invalid", 80}};
  EXPECT_THAT(HttpServer::Start(options_).error().message, HasSubstr("cannot listen on no-such-host.invalid:80: "));
}

TEST_F(Server, NoDescriptorStaysBehind) {
  const std::ptrdiff_t before = OpenDescriptors();
  Start();
  for (int i = 0; i < 20; ++i) {
    Get("/hello");
    Client(Port()).Send("GET");
  }
  server_.reset();
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace finwait::http
