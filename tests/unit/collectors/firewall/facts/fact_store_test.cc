#include "collectors/firewall/facts/fact_store.h"

#include <gtest/gtest.h>

#include "collectors/firewall/facts/fact_query.h"

namespace finwait::firewall::facts {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Need RouteTo(const std::string& address) {
  RouteKey key;
  key.destination = *IpAddress::Parse(address);
  return key;
}
Fact SomeRoute() { return Fact::Present(std::make_shared<const Route>()); }
Need SocketOf(std::uint16_t port) {
  return SocketKey{{*IpAddress::Parse("192.0.2.1"), port}, *Endpoint::Parse("192.0.2.2:80")};
}
Need Chain(const std::string& name) { return ChainKey{TableFamily::kIpv4, "nat", name}; }
Fact ChainOf(std::size_t rules) {
  auto chain = std::make_shared<firewall::Chain>();
  chain->rules.resize(rules);
  return Fact::Present(std::shared_ptr<const firewall::Chain>(std::move(chain)));
}

TEST(FactStoreTest, ToldPresentAbsentFailedAndNeverAskedApart) {
  FactStore store;
  EXPECT_EQ(store.Find(RouteTo("192.0.2.9")), nullptr);
  store.Put(RouteTo("192.0.2.9"), Fact::Absent());
  ASSERT_NE(store.Find(RouteTo("192.0.2.9")), nullptr);
  EXPECT_TRUE(store.Find(RouteTo("192.0.2.9"))->IsAbsent());
  store.Put(SocketOf(1), Fact::Failed({FailureReason::kTimeout, 0, "too late"}));
  EXPECT_EQ(store.Find(SocketOf(1))->Why()->message, "too late");
  EXPECT_EQ(store.Find(SocketOf(1))->As<Socket>(), nullptr);
  store.Put(SocketOf(2), Fact::Present(Socket{7U, 0, 0, false, {}, {}}));
  EXPECT_EQ(store.Find(SocketOf(2))->As<Socket>()->mark, 7U);
}

TEST(FactStoreTest, ARouteIsOfAllThatRoutingHangsOn) {
  FactStore store;
  RouteKey key;
  key.destination = *IpAddress::Parse("192.0.2.9");
  store.Put(key, SomeRoute());
  EXPECT_NE(store.Find(key), nullptr);
  for (const auto change : std::initializer_list<void (*)(RouteKey&)>{
           [](RouteKey& other) { other.mark = 1; }, [](RouteKey& other) { other.bound_device = 1; },
           [](RouteKey& other) { other.user = 1; }, [](RouteKey& other) { other.source_port = 1; },
           [](RouteKey& other) { other.destination_port = 1; }, [](RouteKey& other) { other.arriving_on = 1; },
           [](RouteKey& other) { other.source = *IpAddress::Parse("192.0.2.1"); }}) {
    RouteKey other = key;
    change(other);
    EXPECT_EQ(store.Find(other), nullptr);
  }
}

TEST(FactStoreTest, AnOutcomeHoldsUntilAKindThatItHungOnChanges) {
  FactStore store;
  store.Put(RouteTo("192.0.2.9"), SomeRoute());
  store.Put(SocketOf(1), Fact::Present(Socket()));
  const FactKinds route = Only(FactKind::kRoute);
  const FactKinds socket = Only(FactKind::kSocket);
  const std::uint32_t then = store.Now();
  EXPECT_TRUE(store.Holds(static_cast<FactKinds>(route | socket), then));
  store.Invalidate(route);
  EXPECT_EQ(store.Find(RouteTo("192.0.2.9")), nullptr);
  EXPECT_NE(store.Find(SocketOf(1)), nullptr);
  EXPECT_FALSE(store.Holds(route, then));
  EXPECT_TRUE(store.Holds(socket, then));
  EXPECT_TRUE(store.Holds(route, store.Now()));
}

TEST(FactStoreTest, WhatNobodyTellsChangesOfGrowsOld) {
  FactStore store;
  const SteadyClock::time_point start{minutes(60)};
  store.Expire(start);
  const Need element = ElementKey{{TableFamily::kIpv4, "t", "s"}, Value(4), nullptr};
  store.Put(element, Fact::Absent());
  store.Put(SocketOf(1), Fact::Absent());
  store.Put(RouteTo("192.0.2.9"), SomeRoute());
  const std::uint32_t then = store.Now();
  store.Expire(start + seconds(9));
  EXPECT_NE(store.Find(element), nullptr);
  store.Expire(start + seconds(10));
  EXPECT_EQ(store.Find(element), nullptr);
  EXPECT_FALSE(store.Holds(Only(FactKind::kElement), then));
  EXPECT_NE(store.Find(SocketOf(1)), nullptr);
  store.Expire(start + minutes(5));
  EXPECT_EQ(store.Find(SocketOf(1)), nullptr);
  EXPECT_NE(store.Find(RouteTo("192.0.2.9")), nullptr) << "the kernel tells of changes";
}

TEST(FactStoreTest, TheTimeIsReadAgainBeforeItsAnswersEnd) {
  FactStore store;
  const SteadyClock::time_point start{minutes(60)};
  store.Expire(start);
  store.Put(ClockKey{}, Fact::Present(Clock{1'793'145'600, 0}));
  const std::uint32_t then = store.Now();
  store.Expire(start + seconds(Clock::kLasts) - seconds(10));
  EXPECT_EQ(store.Find(ClockKey{}), nullptr);
  EXPECT_FALSE(store.Holds(Only(FactKind::kClock), then));
}

TEST(FactStoreTest, AFailureIsTriedAgain) {
  FactStore store;
  const SteadyClock::time_point start{minutes(60)};
  store.Expire(start);
  store.Put(RouteTo("192.0.2.9"), Fact::Failed({FailureReason::kTimeout, 0, "too late"}));
  const std::uint32_t then = store.Now();
  store.Expire(start + seconds(10));
  EXPECT_EQ(store.Find(RouteTo("192.0.2.9")), nullptr);
  EXPECT_FALSE(store.Holds(Only(FactKind::kRoute), then));
}

TEST(FactStoreTest, SettingsThatAreReadAgainAndTheSameChangeNothing) {
  FactStore store;
  const Need settings = NamespaceKey{IpFamily::kIpv4};
  store.Put(settings, Fact::Present(NamespaceFacts{true, false, {}, {}, {}}));
  const std::uint32_t then = store.Now();
  store.MarkSettingsStale();
  EXPECT_EQ(store.Stale(), Needs{settings});
  EXPECT_NE(store.Find(settings), nullptr) << "they count until they are read again";
  store.Put(settings, Fact::Present(NamespaceFacts{true, false, {}, {}, {}}));
  EXPECT_TRUE(store.Stale().empty());
  EXPECT_TRUE(store.Holds(Only(FactKind::kNamespace), then));
  store.MarkSettingsStale();
  store.Put(settings, Fact::Present(NamespaceFacts{true, true, {}, {}, {}}));
  EXPECT_FALSE(store.Holds(Only(FactKind::kNamespace), then));
}

TEST(FactStoreTest, BeyondTheBudgetWhatWasUsedLongestAgoGoesFirst) {
  FactStore store(1 << 20);
  for (int i = 0; i < 100; ++i) {
    store.Put(Chain(std::to_string(i)), ChainOf(1000));
    (void)store.Find(Chain("0"));
    EXPECT_LE(store.Bytes(), std::size_t{1} << 20);
  }
  EXPECT_LT(store.Size(), 100U);
  EXPECT_NE(store.Find(Chain("99")), nullptr);
  EXPECT_NE(store.Find(Chain("0")), nullptr);
  EXPECT_EQ(store.Find(Chain("1")), nullptr);
}

TEST(FactStoreTest, WhatIsNotUsedIsFreedAndOutcomesStayTrue) {
  FactStore store;
  const SteadyClock::time_point start{minutes(60)};
  store.Put(Chain("idle"), ChainOf(10));
  store.Put(Chain("busy"), ChainOf(10));
  const std::uint32_t then = store.Now();
  EXPECT_EQ(store.EvictUnused(start), 0U);
  (void)store.Find(Chain("busy"));
  EXPECT_GT(store.EvictUnused(start + FactStore::kKeepUnused), 0U);
  EXPECT_EQ(store.Find(Chain("idle")), nullptr);
  EXPECT_NE(store.Find(Chain("busy")), nullptr);
  EXPECT_TRUE(store.Holds(kRulesFacts, then));
  EXPECT_GT(store.EvictRules(), 0U);
  EXPECT_EQ(store.Size(), 0U);
  EXPECT_EQ(store.Bytes(), 0U);
}

TEST(FactQueryTest, NotesWhatIsMissingAndWhatWasAskedFor) {
  FactStore store;
  FactQuery query(store);
  store.Put(Chain("there"), ChainOf(1));
  EXPECT_NE(query.Find(Chain("there")), nullptr);
  EXPECT_EQ(query.Missed(), 0U);
  EXPECT_EQ(query.Find(Chain("missing")), nullptr);
  EXPECT_EQ(query.Find(Chain("missing")), nullptr);
  EXPECT_EQ(query.Missed(), 2U);
  EXPECT_EQ(query.TakeNeeds(), Needs{Chain("missing")});
  EXPECT_TRUE(query.Noted().empty());
  EXPECT_EQ(query.TakeHungOn(), Only(FactKind::kChain));
  EXPECT_EQ(query.TakeHungOn(), 0);
}

TEST(FactQueryTest, NotesNoMoreThanItsBound) {
  FactStore store;
  FactQuery query(store);
  for (std::uint32_t i = 0; i < 2 * FactQuery::kMostNeeds; ++i) {
    query.Find(Chain(std::to_string(i)));
  }
  EXPECT_EQ(query.Noted().size(), FactQuery::kMostNeeds);
}

}  // namespace
}  // namespace finwait::firewall::facts
