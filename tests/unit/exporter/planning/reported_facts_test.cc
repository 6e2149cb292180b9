#include "exporter/planning/reported_facts.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>

namespace finwait::planning {
namespace {

using firewall::facts::ChainKey;
using firewall::facts::Fact;
using firewall::facts::FactStore;
using firewall::facts::Need;
using firewall::facts::Needs;
using firewall::facts::QueueListenerKey;
using firewall::facts::RecentKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::SocketKey;

// Notes what it is asked for.
class NotingResolver : public firewall::facts::Resolver {
 public:
  void Resolve(const Needs& needs, FactStore& store) override {
    for (const Need& need : needs) {
      asked.insert(need);
      store.Put(need, Fact::Absent());
    }
  }
  void TakeInChanges(FactStore&) override {}
  Needs asked;
};

class ReportedFactsTest : public testing::Test {
 protected:
  ReportedFactsTest() {
    host_.routing_known = {true, true};
    Route route;
    route.egress.name = "eth0";
    host_.routing[0].ranges = {{{1, 0x0affffff}, route}, {{0x0b000000, 0xdfffffff}, std::nullopt}};
    ReportedSocket socket;
    socket.socket.local = *Endpoint::Parse("192.0.2.1:40000");
    socket.socket.peer = *Endpoint::Parse("10.0.0.1:443");
    socket.facts.mark = 7;
    host_.sockets.push_back(socket);
    host_.queue_listeners = std::set<std::uint16_t>{3};
  }
  const Fact& Ask(const Need& need) {
    ReportedFacts facts(host_, rules_);
    facts.Resolve({need}, store_);
    return *store_.Find(need);
  }
  static RouteKey To(const std::string& address) {
    RouteKey key;
    key.destination = *IpAddress::Parse(address);
    return key;
  }

  HostFacts host_;
  NotingResolver rules_;
  FactStore store_;
};

TEST_F(ReportedFactsTest, RulesAreAskedForWhereTheyAreLoadedAndNothingElseIs) {
  Ask(ChainKey{firewall::TableFamily::kInet, "t", "c"});
  Ask(To("10.0.0.1"));
  Ask(SocketKey{host_.sockets[0].socket.local, host_.sockets[0].socket.peer});
  EXPECT_EQ(rules_.asked, Needs{(ChainKey{firewall::TableFamily::kInet, "t", "c"})});
}

TEST_F(ReportedFactsTest, RoutesAreTheHostsByDestination) {
  const auto* route = Ask(To("10.0.0.1")).As<std::shared_ptr<const Route>>();
  ASSERT_NE(route, nullptr);
  EXPECT_EQ((*route)->egress.name, "eth0");
  EXPECT_TRUE(Ask(To("198.51.100.1")).IsAbsent()) << "no route";
  EXPECT_NE(Ask(To("2001:db8::1")).Why(), nullptr) << "no range tells";
}

TEST_F(ReportedFactsTest, RoutesThatHangOnMoreThanTheDestinationAreNotGuessed) {
  RouteKey bound = To("10.0.0.1");
  bound.bound_device = 4;
  EXPECT_NE(Ask(bound).Why(), nullptr);
  host_.answers.emplace(bound, Fact::Absent());
  EXPECT_TRUE(Ask(bound).IsAbsent()) << "the report tells it of its own";
  host_.routing[0].by_more_than_destination = true;
  EXPECT_NE(Ask(To("10.0.0.2")).Why(), nullptr);
  host_.routing[0].by_more_than_destination = false;
  host_.routing[0].several_hops = true;
  EXPECT_NE(Ask(To("10.0.0.3")).Why(), nullptr);
}

// By what is sent to them both are told.
TEST_F(ReportedFactsTest, RoutesOfWhatComesInAreNotThoseOfWhatIsSent) {
  Route own;
  own.local = true;
  host_.routing[0].ranges = {{{0x0a000001, 0x0a000001}, own}};
  host_.routing[1].ranges = {{{1, 100}, own}};
  for (const char* address : {"10.0.0.1", "::9"}) {
    RouteKey in = To(address);
    EXPECT_NE(Ask(in).As<std::shared_ptr<const Route>>(), nullptr);
    in.source = IpAddress::Parse(address);
    in.arriving_on = 2;
    EXPECT_NE(Ask(in).Why(), nullptr) << address;
    host_.answers.emplace(in, Fact::Absent());
    EXPECT_TRUE(Ask(in).IsAbsent()) << address;
  }
}

TEST_F(ReportedFactsTest, SocketsAreTheReportsAndOthersAreNotThere) {
  const auto* socket =
      Ask(SocketKey{host_.sockets[0].socket.local, host_.sockets[0].socket.peer}).As<firewall::facts::Socket>();
  ASSERT_NE(socket, nullptr);
  EXPECT_EQ(socket->mark, 7U);
  EXPECT_TRUE(Ask(SocketKey{host_.sockets[0].socket.peer, host_.sockets[0].socket.local}).IsAbsent());
}

TEST_F(ReportedFactsTest, WhatTheReportDoesNotHoldCannotBeAsked) {
  EXPECT_EQ(*Ask(QueueListenerKey{3}).As<bool>(), true);
  EXPECT_EQ(*Ask(QueueListenerKey{4}).As<bool>(), false);
  EXPECT_NE(Ask(RecentKey{"list"}).Why(), nullptr);
  host_.queue_listeners.reset();
  EXPECT_NE(Ask(QueueListenerKey{5}).Why(), nullptr);
}

}  // namespace
}  // namespace finwait::planning
