#include "exporter/planning/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "exporter/diagnosis/close_fate.h"

namespace finwait::planning {
namespace {

using diagnosis::Fate;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using testing::HasSubstr;

CloseResult Of(Fate fate, const std::string& rule = "") {
  CloseResult close;
  close.fate = fate;
  if (!rule.empty()) {
    close.rule.emplace().table = "t";
    close.text = rule;
  }
  return close;
}

class ComparisonTest : public testing::Test {
 protected:
  ComparisonTest() {
    host_.facts.routing_known = {true, false};
    firewall::facts::Route route;
    route.egress.name = "eth0";
    host_.facts.routing[0].ranges = {{{1, 0xdfffffff}, route}};
    space_ = host_.facts.Space(IpFamily::kIpv4);
    for (const diagnosis::SpacePart& part : space_.parts) {
      host_.results.classes.push_back({part.path, part.connections, Of(Fate::kClean)});
    }
    then_.classes = host_.results.classes;
  }
  // Gives the connections to `port` another result in `endings`.
  static void Split(HostResults& results, firewall::packet::Wide port, const CloseResult& close) {
    ResultClass& whole = results.classes.front();
    ResultClass part = whole;
    part.close = close;
    part.connections.Of(Dimension::kPeerPort) = IntervalSet::Between(port, port);
    whole.connections.Of(Dimension::kPeerPort) =
        whole.connections.Of(Dimension::kPeerPort).Difference(IntervalSet::Between(port, port));
    results.classes.push_back(std::move(part));
  }
  void AddSocket(const CloseResult& now, const CloseResult& then) {
    ReportedSocket socket;
    socket.socket.local = *Endpoint::Parse("192.0.2.1:40000");
    socket.socket.peer = *Endpoint::Parse("198.51.100.1:443");
    host_.facts.sockets.push_back(socket);
    host_.results.sockets.push_back(now);
    then_.sockets.push_back(then);
  }

  HostReport host_;
  HostResults then_;
  diagnosis::ConnectionSpace space_;
};

TEST_F(ComparisonTest, WhatEndsAlikeIsNoChange) {
  AddSocket(Of(Fate::kFinDropped, "drop"), Of(Fate::kFinDropped, "drop"));
  const Comparison comparison = Compare(host_, then_);
  EXPECT_TRUE(comparison.NothingLost());
  EXPECT_TRUE(comparison.classes.empty());
  EXPECT_TRUE(comparison.connections.empty());
  EXPECT_EQ(comparison.connections_unchanged, 1U);
}

TEST_F(ComparisonTest, AChangedClassIsWhatBothSidesHaveInCommon) {
  Split(host_.results, 80, Of(Fate::kFinDropped, "drop"));
  Split(then_, 80, Of(Fate::kFinDropped, "drop"));
  Split(then_, 5432, Of(Fate::kFinDropped, "drop"));
  const Comparison comparison = Compare(host_, then_);
  ASSERT_EQ(comparison.classes.size(), 1U);
  EXPECT_EQ(comparison.classes[0].change, Change::kNewlyLost);
  EXPECT_THAT(comparison.classes[0].connections, HasSubstr("peer port 5432"));
  EXPECT_EQ(comparison.classes[0].surveyed.example_peer.port, 5432);
  EXPECT_FALSE(comparison.NothingLost());
}

TEST_F(ComparisonTest, NeighboursThatChangeAlikeAreOneClass) {
  Split(then_, 80, Of(Fate::kFinDropped, "drop"));
  Split(then_, 81, Of(Fate::kFinDropped, "drop"));
  const Comparison comparison = Compare(host_, then_);
  ASSERT_EQ(comparison.classes.size(), 1U);
  EXPECT_THAT(comparison.classes[0].connections, HasSubstr("peer port 80 to 81"));
}

TEST_F(ComparisonTest, WhatIsNewlyLostStandsFirst) {
  Split(host_.results, 80, Of(Fate::kFinDropped, "drop"));
  Split(then_, 5432, Of(Fate::kFinDropped, "drop"));
  AddSocket(Of(Fate::kFinDropped), Of(Fate::kClean));
  AddSocket(Of(Fate::kClean), Of(Fate::kFinDropped));
  const Comparison comparison = Compare(host_, then_);
  ASSERT_EQ(comparison.classes.size(), 2U);
  EXPECT_EQ(comparison.classes[0].change, Change::kNewlyLost);
  EXPECT_EQ(comparison.classes[1].change, Change::kNewlyCloses);
  ASSERT_EQ(comparison.connections.size(), 2U);
  EXPECT_EQ(comparison.connections[0].change, Change::kNewlyLost);
}

TEST_F(ComparisonTest, TheRulesInForceChangeNothing) {
  then_.incomplete = {"IPv4: too many classes"};
  Split(then_, 80, Of(Fate::kUnknown));
  AddSocket(Of(Fate::kUnknown), Of(Fate::kUnknown));
  host_.results.rules = then_.rules = "1-2";
  const Comparison same = Compare(host_, then_);
  EXPECT_TRUE(same.NothingLost());
  EXPECT_EQ(same.connections_unchanged, 1U);
  EXPECT_EQ(same.connections_unknown, 1U);
  then_.rules = "1-3";
  EXPECT_FALSE(Compare(host_, then_).NothingLost());
  host_.results.rules.reset();
  then_.rules.reset();
  EXPECT_FALSE(Compare(host_, then_).NothingLost());
}

TEST_F(ComparisonTest, UndividedClassesAreComparedOnlyByTheirTranslation) {
  host_.results.incomplete = {std::string("IPv4: ") += diagnosis::kUndivided};
  then_.incomplete = host_.results.incomplete;
  const auto nothing_lost_where = [&](const std::string& hangs_on) {
    CloseResult unknown = Of(Fate::kUnknown);
    unknown.consequence = "cannot be known: " + hangs_on;
    HostReport host = host_;
    HostResults then = then_;
    Split(host.results, 80, unknown);
    Split(then, 80, unknown);
    const Comparison comparison = Compare(host, then);
    EXPECT_EQ(comparison.incomplete.empty(), comparison.NothingLost());
    return comparison.NothingLost();
  };
  EXPECT_TRUE(nothing_lost_where(std::string(diagnosis::kNotToldTranslated) + ": the packet mark"));
  EXPECT_FALSE(nothing_lost_where(std::string(diagnosis::kNotToldTranslated) + ": what ipset blocked holds"));
  EXPECT_FALSE(nothing_lost_where("the packet mark"));
}

TEST_F(ComparisonTest, WhatWasNotToldApartLeavesTheAnswerOpen) {
  then_.incomplete = {"IPv4: too many classes"};
  EXPECT_FALSE(Compare(host_, then_).NothingLost());
  host_.results.incomplete = {std::string("IPv4: ") += diagnosis::kUndivided};
  then_.incomplete = host_.results.incomplete;
  EXPECT_TRUE(Compare(host_, then_).NothingLost()) << "each class says what it hangs on, and that is the same";
  host_.results.incomplete.clear();
  EXPECT_FALSE(Compare(host_, then_).NothingLost());
  then_.incomplete.clear();
  Split(then_, 80, Of(Fate::kUnknown));
  const Comparison comparison = Compare(host_, then_);
  EXPECT_FALSE(comparison.NothingLost());
  EXPECT_FALSE(comparison.Has(Change::kNewlyLost));
}

}  // namespace
}  // namespace finwait::planning
