#include "exporter/diagnosis/connection_facts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::facts::Fact;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::Socket;
using firewall::facts::SocketKey;

class ConnectionFactsTest : public testing::Test {
 protected:
  const Endpoint local_ = *Endpoint::Parse("192.0.2.1:40000");
  const Endpoint peer_ = *Endpoint::Parse("192.0.2.2:80");

  RouteKey Key() const {
    RouteKey key;
    key.source = local_.address;
    key.destination = peer_.address;
    key.source_port = local_.port;
    key.destination_port = peer_.port;
    return key;
  }
  void PutRoute(const RouteKey& key, const std::string& device, bool local = false) {
    Route route;
    route.local = local;
    route.egress.name = device;
    store_.Put(key, Fact::Present(std::make_shared<const Route>(route)));
  }
  void PutSocket(const Socket& socket) { store_.Put(SocketKey{local_, peer_}, Fact::Present(socket)); }
  Connection Build() { return ConnectionOf(ListedSocket(local_, peer_), facts_); }

  firewall::facts::FactStore store_;
  firewall::facts::FactQuery facts_{store_};
};

TEST_F(ConnectionFactsTest, RoutingIsAskedAsTheSocketWould) {
  PutSocket({9U, 3, 1000, false, {}, true});
  const Connection missing = Build();
  EXPECT_FALSE(missing.egress.name.has_value());
  RouteKey key = Key();
  key.mark = 9;
  key.bound_device = 3;
  key.user = 1000;
  const firewall::facts::Needs needs = facts_.TakeNeeds();
  EXPECT_TRUE(std::any_of(needs.begin(), needs.end(), [&](const firewall::facts::Need& need) {
    const auto* route = std::get_if<RouteKey>(&need);
    return route != nullptr && *route == key;
  }));
  PutRoute(key, "wg0");
  const Connection connection = Build();
  EXPECT_EQ(connection.egress.name, "wg0");
  EXPECT_EQ(connection.local_socket.mark, 9U);
  EXPECT_EQ(connection.local_socket.user, 1000U);
  EXPECT_EQ(connection.opened_by, OpenedBy::kLocal);
  EXPECT_EQ(connection.path_kind, PathKind::kLocal);
}

TEST_F(ConnectionFactsTest, AnUnknownMarkMattersOnlyWhereRoutingAsksForIt) {
  PutSocket({{}, 0, 0, false, {}, {}});
  RouteKey key = Key();
  key.user = 0;
  PutRoute(key, "eth0");
  store_.Put(NamespaceKey{IpFamily::kIpv4}, Fact::Present(NamespaceFacts{true, true, {}, {}, {}}));
  EXPECT_FALSE(Build().egress.name.has_value());
  store_.Put(NamespaceKey{IpFamily::kIpv4}, Fact::Present(NamespaceFacts{true, false, {}, {}, {}}));
  EXPECT_EQ(Build().egress.name, "eth0");
}

TEST_F(ConnectionFactsTest, AnOrphanHasNoOwner) {
  PutSocket({0U, 0, 0, true, {}, {}});
  const Connection connection = Build();
  EXPECT_FALSE(connection.local_socket.held);
  EXPECT_FALSE(connection.local_socket.user.has_value());
  EXPECT_FALSE(connection.routing->user.has_value());
}

TEST_F(ConnectionFactsTest, ARouteToThisHostMakesItLoopback) {
  PutSocket({0U, 0, 7, false, {}, {}});
  RouteKey key = Key();
  key.user = 7;
  PutRoute(key, "lo", true);
  store_.Put(SocketKey{peer_, local_}, Fact::Present(Socket{5U, 0, 8, false, {}, {}}));
  const Connection connection = Build();
  EXPECT_EQ(connection.path_kind, PathKind::kLoopback);
  EXPECT_EQ(connection.peer_socket.mark, 5U);
}

TEST_F(ConnectionFactsTest, OfASocketThatIsNotThereTheListsWordStands) {
  store_.Put(SocketKey{local_, peer_}, Fact::Absent());
  kernel::TcpSocket listed;
  listed.local = local_;
  listed.peer = peer_;
  listed.uid = 33;
  const Connection connection = ConnectionOf(ListedSocket(listed), facts_);
  EXPECT_EQ(connection.local_socket.user, 33U);
  EXPECT_TRUE(connection.local_socket.held);
  EXPECT_FALSE(connection.local_socket.mark.has_value());
}

TEST_F(ConnectionFactsTest, EndsInTheWrongOrderAreToldOnceThatIsKnown) {
  RouteKey to_peer;
  to_peer.destination = peer_.address;
  PutRoute(to_peer, "lo", true);
  EXPECT_TRUE(ConnectionBetween(local_, peer_, facts_).has_value()) << "whose LOCAL is, is not known yet";
  RouteKey to_local;
  to_local.destination = local_.address;
  PutRoute(to_local, "eth0");
  const auto between = ConnectionBetween(local_, peer_, facts_);
  ASSERT_FALSE(between.has_value());
  EXPECT_NE(between.error().message.find("give this host's end first"), std::string::npos);
}

TEST_F(ConnectionFactsTest, AForwardedConnectionComesInWhereItsAnswersLeave) {
  RouteKey to_peer;
  to_peer.destination = peer_.address;
  PutRoute(to_peer, "eth1");
  RouteKey to_local;
  to_local.destination = local_.address;
  Route back;
  back.egress.name = "eth0";
  back.egress.index = 2;
  store_.Put(to_local, Fact::Present(std::make_shared<const Route>(back)));
  RouteKey forth = Key();
  forth.arriving_on = 2;
  PutRoute(forth, "eth2");
  const auto connection = ConnectionBetween(local_, peer_, facts_);
  ASSERT_TRUE(connection.has_value());
  EXPECT_EQ(connection->path_kind, PathKind::kForwarded);
  EXPECT_EQ(connection->ingress->name, "eth0");
  EXPECT_EQ(connection->egress.name, "eth2");
}

}  // namespace
}  // namespace finwait::diagnosis
