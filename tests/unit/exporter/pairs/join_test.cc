#include "exporter/pairs/join.h"

#include <gtest/gtest.h>

namespace finwait::pairs {
namespace {

using namespace std::chrono_literals;

// The digests of one connection: of the end that was closed, and of the other.
constexpr EndDigests kEnds = {0xc105ed, 0x11fe};

LostHalf Lost(float seconds_ago, EndDigests ends = kEnds) {
  LostHalf half;
  half.ends = {ends, ends};
  half.lost_seconds = half.settled_seconds = seconds_ago;
  half.cause = diagnosis::Cause::kLocalDrop;
  half.rule = 0;
  half.ongoing = true;
  return half;
}

LiveHalf Live(Digest digest, float sample_seconds = 1) {
  LiveHalf half;
  half.digests = {digest, digest};
  half.port = 443;
  half.owner = 0;
  half.sample_seconds = sample_seconds;
  return half;
}

LiveHalf Elsewhere(LiveHalf half) {
  half.elsewhere = true;
  return half;
}

class JoinTest : public testing::Test {
 protected:
  struct Host {
    std::string name;
    std::vector<LostHalf> lost;
    std::vector<LiveHalf> live;
    std::vector<Passage> passages = {};
  };

  static Pairs Joined(const std::vector<Host>& hosts, std::optional<float> own_sample = 1,
                      std::size_t most_passages = Join::kMostPassages) {
    const auto now = SteadyClock::now();
    Join join(most_passages);
    std::vector<std::uint32_t> numbers;
    for (const Host& host : hosts) {
      LostDocument document;
      document.rules = {{R"({"chain":"OUTPUT"})", "the rule of " + host.name}};
      document.halves = host.lost;
      document.passages = host.passages;
      numbers.push_back(join.AddLost(host.name, document, now));
    }
    join.Prepare();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      Join::Pass pass(join, numbers[i], now);
      for (const LiveHalf& half : hosts[i].live) {
        pass.Take(half);
      }
      pass.Finish({{"unit web.service"}, {{R"({"chain":"INPUT"})", "the live rule of " + hosts[i].name}}}, own_sample);
    }
    return join.Find(now);
  }

  // "server<closer", for each.
  static std::string Found(const std::vector<Host>& hosts, std::optional<float> own_sample = 1) {
    std::string text;
    for (const AbandonedHalf& half : Joined(hosts, own_sample).halves) {
      text += (text.empty() ? "" : " ") + half.server + "<" + half.closed_by;
    }
    return text;
  }
};

TEST_F(JoinTest, NamesTheServerPortOwnerAgeAndTheRulesHost) {
  LiveHalf live = Live(kEnds.there);
  live.silent_seconds = 100;
  const Pairs pairs = Joined({{"a", {Lost(60)}, {Live(1)}}, {"b", {}, {Live(2), live}}});
  ASSERT_EQ(pairs.halves.size(), 1U);
  const AbandonedHalf& half = pairs.halves[0];
  EXPECT_EQ(half.server, "b");
  EXPECT_EQ(half.port, 443);
  EXPECT_EQ(half.owner, "unit web.service");
  EXPECT_EQ(half.silent_seconds, 100U);
  EXPECT_NEAR(half.age_seconds, 60, 0.1);
  EXPECT_EQ(half.closed_by, "a");
  EXPECT_EQ(half.cause, diagnosis::Cause::kLocalDrop);
  EXPECT_EQ(half.made_by, "a");
  EXPECT_EQ(half.rule->text, "the rule of a");
  EXPECT_EQ(pairs.lost, 1U);
  EXPECT_EQ(pairs.live, 3U);
  EXPECT_EQ(pairs.unclear, 0U);
}

TEST_F(JoinTest, ALossThatTheCloserCannotExplainIsTheServersRule) {
  LostHalf lost = Lost(60);
  lost.cause = diagnosis::Cause::kNoReply;
  lost.rule = kNone;
  LiveHalf live = Live(kEnds.there);
  EXPECT_EQ(Joined({{"a", {lost}, {}}, {"b", {}, {live}}}).halves.at(0).made_by, "");
  live.rule = 0;
  const AbandonedHalf half = Joined({{"a", {lost}, {}}, {"b", {}, {live}}}).halves.at(0);
  EXPECT_EQ(half.made_by, "b");
  EXPECT_EQ(half.rule->text, "the live rule of b");
}

TEST_F(JoinTest, MeetsBeyondNatByEitherPairOfEnds) {
  constexpr EndDigests kWire = {0xa, 0xb};
  LostHalf lost = Lost(60);
  lost.ends[1] = kWire;
  LiveHalf live = Live(0x5e1f);
  live.digests[1] = kWire.there;
  EXPECT_EQ(Found({{"a", {lost}, {}}, {"b", {}, {live}}}), "b<a");
  live.digests = {kEnds.there, kWire.there};
  EXPECT_EQ(Found({{"a", {lost}, {}}, {"b", {}, {live}}}), "b<a") << "found by both, counted once";
}

TEST_F(JoinTest, MeetsAcrossNatsOnTheWayWhoseHostsTellWhatPassesThem) {
  constexpr EndDigests kBetween = {0xa, 0xb};
  constexpr EndDigests kFar = {0xc, 0xd};
  const Host opener = {"a", {Lost(60)}, {}};
  const Host server = {"b", {}, {Live(kFar.there)}};
  const Host first = {"r1", {}, {}, {{kEnds, kBetween}}};
  const Host second = {"r2", {}, {}, {{kBetween, kFar}}};
  EXPECT_EQ(Found({opener, server}), "");
  EXPECT_EQ(Found({opener, first, server}), "") << "one of two NATs is not enough";
  EXPECT_EQ(Found({opener, second, server}), "");
  EXPECT_EQ(Found({opener, first, second, server}), "b<a");
  EXPECT_EQ(Found({second, first, server, opener}), "b<a") << "in whatever order";
  // Closed by the answerer, and so the other way.
  const Host answerer = {"b", {Lost(60, {kFar.there, kFar.here})}, {}};
  EXPECT_EQ(Found({{"a", {}, {Live(kEnds.here)}}, first, second, answerer}), "a<b");
}

TEST_F(JoinTest, ALostEndThatIsAliveBeyondANatIsAnothersByNow) {
  constexpr EndDigests kFar = {0xc, 0xd};
  LostHalf lost = Lost(60);
  lost.ongoing = false;
  const Host router = {"r", {}, {}, {{kEnds, kFar}}};
  const Host server = {"b", {}, {Live(kFar.there)}};
  EXPECT_EQ(Found({{"a", {lost}, {}}, router, server}), "b<a");
  EXPECT_EQ(Found({{"a", {lost}, {}}, {"a2", {}, {Live(kFar.here)}}, router, server}), "");
}

TEST_F(JoinTest, AHostThatClaimsManyPassagesOfOneEndIsNotFollowedForEver) {
  std::vector<Passage> passages;
  for (Digest i = 1; i <= 20'000; ++i) {
    passages.push_back({kEnds, {i << 32, i << 32 | 1}});
    passages.push_back({{i << 32, i << 32 | 1}, {(i + 1) << 32, (i + 1) << 32 | 1}});
  }
  EXPECT_EQ(Found({{"a", {Lost(60)}, {}}, {"r", {}, {}, passages}, {"b", {}, {Live(kEnds.there)}}}), "b<a");
}

TEST_F(JoinTest, WhatIsTooMuchOfNatsIsLeftOutAndSaid) {
  constexpr EndDigests kFar = {0xc, 0xd};
  const Host opener = {"a", {Lost(60)}, {}};
  const Host server = {"b", {}, {Live(kFar.there)}};
  const Host router = {"r1", {}, {}, {{kEnds, kFar}}};
  const Host busy = {"r2", {}, {}, {{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}};
  const Pairs all = Joined({opener, server, router, busy}, 1, 3);
  EXPECT_EQ(all.halves.size(), 1U);
  EXPECT_TRUE(all.without_passages.empty());
  const Pairs without = Joined({opener, server, router, busy}, 1, 2);
  EXPECT_EQ(without.halves.size(), 1U);
  EXPECT_EQ(without.without_passages, std::vector<std::string>{"r2"});
}

TEST_F(JoinTest, ASampleFromBeforeTheLossShowsNothing) {
  EXPECT_EQ(Found({{"a", {Lost(60)}, {}}, {"b", {}, {Live(kEnds.there, 61)}}}), "");
  EXPECT_EQ(Found({{"a", {Lost(60)}, {}}, {"b", {}, {Live(kEnds.there, 59)}}}), "b<a");
  LostHalf ended = Lost(60);
  ended.settled_seconds = 5;
  EXPECT_EQ(Found({{"a", {ended}, {}}, {"b", {}, {Live(kEnds.there, 20)}}}), "") << "answered after that sample";
}

TEST_F(JoinTest, APeerThatHasBeenToldIsNotAbandoned) {
  LiveHalf told = Live(kEnds.there);
  told.peer_has_closed = true;
  EXPECT_EQ(Found({{"a", {Lost(60)}, {}}, {"b", {}, {told}}}), "");
}

TEST_F(JoinTest, AnEndThatIsAliveAgainHasLostNobody) {
  LostHalf gone = Lost(600);
  gone.ongoing = false;
  EXPECT_EQ(Found({{"a", {gone}, {}}, {"b", {}, {Live(kEnds.there)}}}), "b<a");
  EXPECT_EQ(Found({{"a", {gone}, {Live(kEnds.here)}}, {"b", {}, {Live(kEnds.there)}}}), "") << "by the same host";
  EXPECT_EQ(Found({{"a", {gone}, {}}, {"b", {}, {Live(kEnds.there)}}, {"c", {}, {Live(kEnds.here)}}}), "")
      << "by another one behind the same NAT";
  EXPECT_EQ(Found({{"a", {Lost(600)}, {Live(kEnds.here, 700)}}, {"b", {}, {Live(kEnds.there)}}}), "b<a")
      << "that was before";
}

TEST_F(JoinTest, WhereTheClosersSocketsAreNotKnownAnEarlierLossIsUnclear) {
  LostHalf gone = Lost(600);
  gone.ongoing = false;
  for (const std::optional<float> own_sample : {std::optional<float>(), std::optional<float>(700)}) {
    const Pairs pairs = Joined({{"a", {gone}, {}}, {"b", {}, {Live(kEnds.there)}}}, own_sample);
    EXPECT_EQ(pairs.halves.size(), 0U);
    EXPECT_EQ(pairs.unclear, 1U);
  }
}

TEST_F(JoinTest, PrivateAddressesThatManyHostsHaveAreNotMixedUp) {
  // On each of three hosts the same two containers; on the first the connection was lost.
  LostHalf lost = Lost(60);
  lost.elsewhere = true;
  const auto healthy = [](const std::string& name) {
    return Host{name, {}, {Elsewhere(Live(kEnds.here)), Elsewhere(Live(kEnds.there))}};
  };
  EXPECT_EQ(Found({{"a", {lost}, {Elsewhere(Live(kEnds.there))}}, healthy("b"), healthy("c")}), "a<a");
  EXPECT_EQ(Found({{"a", {lost}, {}}, healthy("b"), healthy("c")}), "") << "both ends are alive there";
  const Pairs two =
      Joined({{"a", {lost}, {}}, {"b", {}, {Elsewhere(Live(kEnds.there))}}, {"c", {}, {Elsewhere(Live(kEnds.there))}}});
  EXPECT_EQ(two.halves.size(), 0U) << "which of the two cannot be told";
  EXPECT_EQ(two.unclear, 1U);
  EXPECT_EQ(Found({{"a", {lost}, {Elsewhere(Live(kEnds.there))}}, {"b", {lost}, {Elsewhere(Live(kEnds.there))}}}),
            "a<a b<b");
}

TEST_F(JoinTest, WhatOthersObserveIsToldByTheHostWhoseItIs) {
  // Two exporters on one machine, each in a network namespace of its own, see each other's sockets.
  LostHalf observed = Lost(61);
  observed.elsewhere = true;
  EXPECT_EQ(Found({{"a", {Lost(60)}, {Elsewhere(Live(kEnds.there))}}, {"b", {observed}, {Live(kEnds.there)}}}), "b<a");
  EXPECT_EQ(Found({{"b", {observed}, {Live(kEnds.there)}}, {"a", {Lost(60)}, {Elsewhere(Live(kEnds.there))}}}), "b<a");
}

TEST_F(JoinTest, OneHalfIsCountedOnceByTheNewestLoss) {
  const Pairs pairs = Joined({{"a", {Lost(60), Lost(600)}, {}}, {"b", {}, {Live(kEnds.there)}}});
  ASSERT_EQ(pairs.halves.size(), 1U);
  EXPECT_NEAR(pairs.halves[0].age_seconds, 60, 0.1);
}

TEST_F(JoinTest, AStreamThatDidNotEndDoesNotCount) {
  const auto now = SteadyClock::now();
  Join join;
  LostDocument document;
  document.halves = {Lost(60)};
  join.AddLost("a", document, now);
  const std::uint32_t b = join.AddHost("b");
  join.Prepare();
  {
    Join::Pass pass(join, b, now);
    pass.Take(Live(kEnds.there));
  }
  EXPECT_EQ(join.Find(now).halves.size(), 0U);
}

}  // namespace
}  // namespace finwait::pairs
