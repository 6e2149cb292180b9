#include "exporter/diagnosis/connection_facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
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
  ConnectionFactsTest() {
    for (const IpFamily family : kIpFamilies) {
      PutSettings(true, family);
    }
  }
  // Routing asks for mark, ports, user and type of service, or for none of them.
  void PutSettings(bool asks, IpFamily family = IpFamily::kIpv4) {
    NamespaceFacts settings;
    settings.routes_by_mark = settings.routes_by_ports = settings.routes_by_user = asks;
    settings.routes_by_type_of_service = asks;
    store_.Put(NamespaceKey{family}, Fact::Present(settings));
  }

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
  PutSocket({9U, 3, 1000, false, std::uint8_t{0}, true});
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

TEST_F(ConnectionFactsTest, WhatRoutingDoesNotAskForIsNotToldSoThatSocketsShareAnAnswer) {
  Socket socket{9U, 0, 1000, false, std::uint8_t{0x10}, {}};
  PutSocket(socket);
  PutSettings(false);
  RouteKey key;
  key.source = local_.address;
  key.destination = peer_.address;
  PutRoute(key, "eth0");
  EXPECT_EQ(Build().egress.name, "eth0");
  EXPECT_EQ(Build().routing, key);
}

TEST_F(ConnectionFactsTest, AnUnknownMarkMattersOnlyWhereRoutingAsksForIt) {
  PutSocket({{}, 0, 0, false, {}, {}});
  EXPECT_FALSE(Build().routing.has_value());
  PutSettings(false);
  EXPECT_TRUE(Build().routing.has_value());
}

TEST_F(ConnectionFactsTest, WhereSettingsCannotBeReadAllIsTold) {
  PutSocket({9U, 0, 1000, false, std::uint8_t{0}, {}});
  store_.Put(NamespaceKey{IpFamily::kIpv4}, Fact::Failed({FailureReason::kError, 0, "no answer"}));
  RouteKey key = Key();
  key.mark = 9;
  key.user = 1000;
  EXPECT_EQ(Build().routing, key);
}

TEST_F(ConnectionFactsTest, AnOrphanHasNoOwnerAndIsRoutedWhereRoutingDoesNotAskForOne) {
  PutSocket({0U, 0, 0, true, {}, {}});
  EXPECT_FALSE(Build().routing.has_value());
  PutSettings(false);
  const Connection connection = Build();
  EXPECT_FALSE(connection.local_socket.held);
  EXPECT_FALSE(connection.local_socket.user.has_value());
  ASSERT_TRUE(connection.routing.has_value());
  EXPECT_FALSE(connection.routing->user.has_value());
}

TEST_F(ConnectionFactsTest, ARouteToThisHostMakesItLoopback) {
  PutSocket({0U, 0, 7, false, std::uint8_t{0}, {}});
  RouteKey key = Key();
  key.user = 7;
  PutRoute(key, "lo", true);
  store_.Put(SocketKey{peer_, local_}, Fact::Present(Socket{5U, 0, 8, false, {}, {}}));
  const Connection connection = Build();
  EXPECT_EQ(connection.path_kind, PathKind::kLoopback);
  EXPECT_EQ(connection.peer_socket.mark, 5U);
}

TEST_F(ConnectionFactsTest, RoutingThatRefusesIsToldFromRoutingThatIsNotKnown) {
  PutSocket({9U, 0, 1000, false, std::uint8_t{0}, true});
  EXPECT_FALSE(Build().unroutable) << "not asked yet";
  RouteKey key = Key();
  key.mark = 9;
  key.user = 1000;
  store_.Put(key, Fact::Failed({FailureReason::kError, 0, "no answer"}));
  EXPECT_FALSE(Build().unroutable);
  store_.Put(key, Fact::Absent());
  EXPECT_TRUE(Build().unroutable);
}

TEST_F(ConnectionFactsTest, ByWhichTypeOfServiceIpv6RoutesIsNotKnown) {
  Socket socket{0U, 0, 1000, false, std::uint8_t{0x10}, true};
  PutSocket(socket);
  RouteKey key = Key();
  key.user = 1000;
  key.type_of_service = 0x10;
  PutRoute(key, "eth0");
  EXPECT_EQ(Build().egress.name, "eth0");
  const ListedSocket ipv6(*Endpoint::Parse("[2001:db8::1]:40000"), *Endpoint::Parse("[2001:db8::2]:80"));
  const auto is_routed = [&](std::uint8_t type_of_service) {
    socket.type_of_service = type_of_service;
    store_.Put(SocketKey{ipv6.local, ipv6.peer}, Fact::Present(socket));
    return ConnectionOf(ipv6, facts_).routing.has_value();
  };
  EXPECT_FALSE(is_routed(0x10));
  EXPECT_TRUE(is_routed(2)) << "ECN";
  PutSettings(false, IpFamily::kIpv6);
  EXPECT_TRUE(is_routed(0x10));
}

TEST_F(ConnectionFactsTest, AnAddressIsGoneWhenThisHostIsKnownNotToReceiveForIt) {
  PutSettings(false);
  RouteKey out;
  out.source = local_.address;
  out.destination = peer_.address;
  Route leaves;
  leaves.egress.name = "eth0";
  leaves.egress.index = 2;
  store_.Put(out, Fact::Present(std::make_shared<const Route>(leaves)));
  Socket socket{0U, 0, 1000, false, {}, true};
  socket.transparent = false;
  PutSocket(socket);
  EXPECT_FALSE(Build().address_gone) << "not asked yet";
  RouteKey own;
  own.destination = local_.address;
  PutRoute(own, "eth0");
  EXPECT_FALSE(Build().address_gone) << "a rule may send what comes in elsewhere";
  RouteKey in = own;
  in.source = peer_.address;
  in.arriving_on = 2;
  store_.Put(in, Fact::Absent());
  EXPECT_TRUE(Build().address_gone);
  PutRoute(in, "eth0");
  EXPECT_TRUE(Build().address_gone);
  for (const bool bound : {false, true}) {
    socket.bound_device = bound ? 3 : 0;
    socket.transparent = !bound;
    PutSocket(socket);
    EXPECT_FALSE(Build().address_gone) << "a transparent proxy's, or a VRF's";
  }
  socket.bound_device = 0;
  socket.transparent = false;
  PutSocket(socket);
  EXPECT_TRUE(Build().address_gone);
  PutRoute(in, "", true);
  EXPECT_FALSE(Build().address_gone);
}

// Two sockets of one VRF, or of one address: the addresses alone look like loopback's.
TEST_F(ConnectionFactsTest, ABoundSocketsRouteIsAskedEvenToItsOwnAddress) {
  PutSettings(false);
  const ListedSocket own(local_, {local_.address, 80});
  store_.Put(SocketKey{own.local, own.peer}, Fact::Present(Socket{0U, 9, 1000, false, std::uint8_t{0}, true}));
  RouteKey key;
  key.source = key.destination = local_.address;
  key.bound_device = 9;
  Route within;
  within.local = true;
  within.egress = {"blue", 9, 1, 0, "vrf"};
  store_.Put(key, Fact::Present(std::make_shared<const Route>(within)));
  const Connection connection = ConnectionOf(own, facts_);
  EXPECT_EQ(connection.path_kind, PathKind::kLoopback);
  EXPECT_EQ(connection.egress.kind, "vrf");
}

// net.ipv4.conf.DEVICE.route_localnet
TEST_F(ConnectionFactsTest, AddressesOf127MayLieOnANetwork) {
  PutSettings(false);
  const ListedSocket far(*Endpoint::Parse("127.9.0.1:40000"), *Endpoint::Parse("127.9.0.2:80"));
  EXPECT_FALSE(IsLoopback(far));
  store_.Put(SocketKey{far.local, far.peer}, Fact::Absent());
  RouteKey key;
  key.source = far.local.address;
  key.destination = far.peer.address;
  PutRoute(key, "eth0");
  EXPECT_EQ(ConnectionOf(far, facts_).path_kind, PathKind::kLocal);
  PutRoute(key, "lo", true);
  EXPECT_EQ(ConnectionOf(far, facts_).path_kind, PathKind::kLoopback);
}

TEST_F(ConnectionFactsTest, TheFirstOf127IsAtHomeAndAsksForNoRoute) {
  PutSettings(false);
  for (const char* peer : {"127.0.0.1:80", "127.0.0.53:53"}) {
    const ListedSocket own(*Endpoint::Parse("127.0.0.1:40000"), *Endpoint::Parse(peer));
    EXPECT_TRUE(IsLoopback(own));
    facts_.TakeNeeds();
    EXPECT_EQ(ConnectionOf(own, facts_).path_kind, PathKind::kLoopback);
    const auto needs = facts_.TakeNeeds();
    EXPECT_TRUE(std::none_of(needs.begin(), needs.end(),
                             [](const firewall::facts::Need& need) { return std::holds_alternative<RouteKey>(need); }));
  }
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

// What this end sends goes to the peer that it knows until nat has its turn; what comes back comes from the one beyond.
TEST_F(ConnectionFactsTest, WhatNatTranslatesComesBackFromBeyondIt) {
  PutSocket({0U, 0, 0, false, std::uint8_t{0}, true});
  PutSettings(false);
  RouteKey to_peer;
  to_peer.source = local_.address;
  to_peer.destination = peer_.address;
  PutRoute(to_peer, "eth0");
  ListedSocket translated(local_, peer_);
  translated.translated = true;
  Connection connection = ConnectionOf(translated, facts_);
  EXPECT_EQ(connection.translated, firewall::eval::Tristate::kYes);
  EXPECT_FALSE(connection.beyond_nat.has_value()) << "to which ends is not told";

  const kernel::Translation beyond = {local_, *Endpoint::Parse("198.51.100.2:8080")};
  translated.translation = std::make_shared<const kernel::Translation>(beyond);
  RouteKey onward = to_peer;
  onward.destination = beyond.peer.address;
  PutRoute(onward, "eth1");
  connection = ConnectionOf(translated, facts_);
  ASSERT_TRUE(connection.beyond_nat.has_value());
  EXPECT_EQ(connection.beyond_nat->peer, beyond.peer);
  const auto met = [&](PacketKind kind) { return WithEntry(connection, kind); };
  EXPECT_EQ(met(PacketKind::kFin).egress.name, "eth0");
  EXPECT_EQ(met(PacketKind::kPeerFin).egress.name, "eth1");
  EXPECT_EQ(met(PacketKind::kPeerFin).path_kind, PathKind::kLocal);

  PutRoute(onward, "lo", true);
  connection = ConnectionOf(translated, facts_);
  EXPECT_EQ(met(PacketKind::kFin).path_kind, PathKind::kLocal) << "it has a way back through loopback";
  EXPECT_EQ(met(PacketKind::kPeerFin).path_kind, PathKind::kLoopback) << "the peer beyond is this host";
}

TEST_F(ConnectionFactsTest, AnAddressOfThisHostsMayBeTranslatedToAnothers) {
  PutSettings(false);
  ListedSocket published(local_, {local_.address, 8080});
  published.translated = true;
  published.translation = std::make_shared<const kernel::Translation>(kernel::Translation{local_, peer_});
  RouteKey onward;
  onward.source = local_.address;
  onward.destination = peer_.address;
  PutRoute(onward, "docker0");
  const Connection connection = ConnectionOf(published, facts_);
  EXPECT_EQ(connection.path_kind, PathKind::kLoopback) << "without its entry";
  const Connection leaving = WithEntry(connection, PacketKind::kFin);
  EXPECT_EQ(leaving.path_kind, PathKind::kLocal);
  EXPECT_EQ(leaving.egress.name, "lo") << "until nat has its turn";
  EXPECT_EQ(WithEntry(connection, PacketKind::kAck).egress.name, "docker0");
}

TEST_F(ConnectionFactsTest, EndsInTheWrongOrderAreToldOnceThatIsKnown) {
  RouteKey to_peer;
  to_peer.destination = peer_.address;
  PutRoute(to_peer, "lo", true);
  EXPECT_TRUE(ConnectionBetween({local_, peer_}, facts_).has_value()) << "whose LOCAL is, is not known yet";
  RouteKey to_local;
  to_local.destination = local_.address;
  PutRoute(to_local, "eth0");
  const auto between = ConnectionBetween({local_, peer_}, facts_);
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
  PutSettings(false);
  RouteKey forth;
  forth.source = local_.address;
  forth.destination = peer_.address;
  forth.arriving_on = 2;
  PutRoute(forth, "eth2");
  const auto connection = ConnectionBetween({local_, peer_}, facts_);
  ASSERT_TRUE(connection.has_value());
  EXPECT_EQ(connection->path_kind, PathKind::kForwarded);
  EXPECT_EQ(connection->ingress->name, "eth0");
  EXPECT_EQ(connection->egress.name, "eth2");
}

}  // namespace
}  // namespace finwait::diagnosis
