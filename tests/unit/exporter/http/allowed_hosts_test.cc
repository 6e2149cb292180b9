#include "exporter/http/allowed_hosts.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

TEST(AllowedHosts, AddressesLocalhostAndTheNamesGivenPass) {
  const AllowedHosts hosts({"node1.example.org", "node1"});
  for (const char* host : {"192.0.2.1", "192.0.2.1:10061", "[2001:db8::1]:10061", "[::1]", "localhost", "LOCALHOST:80",
                           "localhost.", "node1", "Node1.Example.ORG:10061", "node1.example.org.", ""}) {
    EXPECT_TRUE(hosts.Allow(host)) << host;
  }
  for (const char* host :
       {"evil.example", "node1.example.org.evil.example", "node1.evil.example", "192.0.2.1.evil.example",
        "evil.example:10061", "localhost.evil.example", "[evil.example]", "[", ":80", "192.0.2", "*",
        "[::1]evil.example", "[localhost]evil.example:1", "localhost:evil", "node1:80x"}) {
    EXPECT_FALSE(hosts.Allow(host)) << host;
  }
  EXPECT_TRUE(AllowedHosts({"*"}).Allow("evil.example"));
}

class ServerAllowedHosts : public ServerFixture {};

TEST_F(ServerAllowedHosts, ARequestForAnotherNameIs421ExceptForProbes) {
  options_.allowed_hosts = AllowedHosts({"node1"});
  options_.route_groups[0].is_for_any_host = true;
  Start();
  const auto ask = [this](const std::string& path, const std::string& host) {
    testing_client::Client client(Port());
    client.Send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.Receive();
  };
  EXPECT_EQ(ask("/hello", "evil.example").status, 421);
  EXPECT_NE(ask("/hello", "evil.example").body.find("--web.allowed-hosts"), std::string::npos);
  EXPECT_EQ(ask("/none", "evil.example").status, 421);
  EXPECT_EQ(ask("/hello", "node1:10061").status, 200);
  EXPECT_EQ(ask("/hello", "127.0.0.1").status, 200);
  EXPECT_EQ(ask("/healthz", "evil.example").status, 200);
}

TEST_F(ServerAllowedHosts, TheAuthorityOfATargetIsCheckedLikeHost) {
  options_.allowed_hosts = AllowedHosts({"node1"});
  Start();
  const auto ask = [this](const std::string& target, const std::string& host) {
    testing_client::Client client(Port());
    client.Send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.Receive().status;
  };
  EXPECT_EQ(ask("http://node1:10061/hello", "node1"), 200);
  EXPECT_EQ(ask("HTTP://127.0.0.1/hello", "node1"), 200);
  for (const char* target :
       {"http://evil.example/hello", "https://evil.example:80/hello", "HTTP://evil.example/hello",
        "http://node1@evil.example/hello", "http://evil.example@node1/hello", "http://%6eode1/hello"}) {
    EXPECT_EQ(ask(target, "node1"), 421) << target;
  }
  EXPECT_EQ(ask("http://node1/hello", "evil.example"), 421);
  EXPECT_EQ(ask("http:///hello", "node1"), 400);
}

}  // namespace
}  // namespace finwait::http
