// Both ends of the channel: what the reader has, the server gets; who lies is asked no more.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "collectors/sources/conntrack_events.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/tracking.h"
#include "exporter/channel/answerer.h"
#include "exporter/channel/reader_client.h"
#include "exporter/channel/snapshot_feed.h"
#include "tests/soon.h"
#include "tests/unit/collectors/sources/complete_samples.h"

namespace finwait::channel {
namespace {

using firewall::facts::Fact;
using firewall::facts::FactKind;
using firewall::facts::FactStore;
using firewall::facts::NamespaceKey;
using firewall::facts::Need;
using firewall::facts::Needs;
using firewall::facts::QuotaKey;
using firewall::facts::RouteKey;
using scheduling::Snapshot;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const auto kMayAskAll = [](const Need&) { return Result<void>(); };

class TableResolver : public firewall::facts::Resolver {
 public:
  std::map<Need, Fact> facts;
  std::atomic<bool> routes_changed = false;

  void Resolve(const Needs& needs, FactStore& store) override {
    for (const Need& need : needs) {
      if (const auto found = facts.find(need); found != facts.end()) {
        store.Put(need, found->second);
      }
    }
  }
  void TakeInChanges(FactStore& store) override {
    if (routes_changed.exchange(false)) {
      store.Invalidate(Only(FactKind::kRoute));
      store.MarkSettingsStale();
    }
  }
};

std::shared_ptr<const sources::FirewallSample> Firewall() {
  firewall::Chain chain;
  chain.name = "o";
  chain.base.emplace().hook = firewall::Hook::kOutput;
  firewall::Rule rule;
  rule.expressions = {firewall::CtLoad{0, std::nullopt, {}},
                      firewall::VerdictStatement{{firewall::Verdict::Kind::kDrop, ""}}};
  chain.rules = {rule};
  firewall::Set set;
  set.name = "s";
  set.key_length = 4;
  set.elements.emplace_back().key = firewall::Value(4);
  firewall::Table table;
  table.name = "t";
  table.chains.emplace("o", std::make_shared<const firewall::Chain>(chain));
  table.sets.emplace("s", std::make_shared<const firewall::Set>(set));
  auto ruleset = std::make_shared<firewall::Ruleset>();
  ruleset->tables = {table};
  auto sample = std::make_shared<sources::FirewallSample>();
  sample->ruleset = std::move(ruleset);
  return sample;
}

// An IPv4 socket with a translated entry and an IPv6 one without an entry.
std::shared_ptr<const sources::TrackingSample> Tracking() {
  auto sample = std::make_shared<sources::TrackingSample>();
  kernel::TcpSocket socket;
  socket.cookie = 5;
  socket.local = {*IpAddress::Parse("192.0.2.1"), 40000};
  socket.peer = {*IpAddress::Parse("192.0.2.2"), 443};
  socket.entry.tracking = kernel::Tracking::kTracked;
  socket.entry.state = kernel::ConntrackTcpState::kEstablished;
  socket.entry.translation =
      std::make_shared<const kernel::Translation>(kernel::Translation{socket.local, socket.peer});
  sample->sockets.Add(socket);
  socket = {};
  socket.local = {*IpAddress::Parse("2001:db8::1"), 40000};
  socket.peer = {*IpAddress::Parse("2001:db8::2"), 443};
  socket.mark = 7;
  socket.entry.tracking = kernel::Tracking::kUntracked;
  sample->sockets.Add(socket);
  return sample;
}

std::shared_ptr<const sources::SampleData> SampleOf(std::string_view collector) {
  const std::map<std::string_view, std::shared_ptr<const sources::SampleData>> samples = {
      {sources::ConntrackStatsSample::kCollector, std::make_shared<sources::ConntrackStatsSample>()},
      {sources::ConntrackTableSample::kCollector, std::make_shared<sources::ConntrackTableSample>()},
      {sources::ConntrackEventsSample::kCollector, std::make_shared<sources::ConntrackEventsSample>()},
      {sources::SocketsSample::kCollector, std::make_shared<sources::SocketsSample>()},
      {sources::NetstatSample::kCollector, std::make_shared<sources::NetstatSample>()},
      {sources::TrackingSample::kCollector, Tracking()},
      {sources::FirewallSample::kCollector, Firewall()}};
  const auto found = samples.find(collector);
  return found != samples.end() ? found->second : sources::CompleteSamples::Of(collector);
}

std::shared_ptr<Snapshot> Complete() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->network_namespace = {7};
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    scheduling::CollectorStatus& status = snapshot->collectors.emplace_back();
    status.info = &info;
    status.data = SampleOf(info.name);
    status.collected = true;
    status.taken_at = SteadyClock::now();
    status.last_success = scheduling::WallClock::now();
    status.duration = milliseconds(3);
    status.interval = seconds(5);
    status.failures[1] = 4;
  }
  return snapshot;
}

// A value's bytes, to compare by.
std::vector<std::byte> BytesOf(const Snapshot& snapshot) {
  codec::Encoder encoder;
  SnapshotEncoder().Put(snapshot, encoder);
  return encoder.Take();
}

class ChannelTest : public testing::Test {
 protected:
  void Serve() {
    HelloAnswer hello;
    hello.network_namespace = {7};
    hello.capabilities = "CAP_NET_ADMIN";
    reader_ = std::jthread([this, hello] {
      Answerer answerer(std::move(ends_.second), {hello, inbox_, resolver_, reader_budget_, kMayAskAll,
                                                  [] {
                                                    process::ProcessReport report;
                                                    report.refused = {{59, 2}};
                                                    return report;
                                                  },
                                                  [this] { begun_ = true; }});
      ended_because_ = answerer.Run().message;
    });
  }
  void TearDown() override {
    client_.Shutdown();
    if (reader_.joinable()) {
      reader_.join();
    }
  }

  std::pair<Connection, Connection> ends_ = *Connection::MakePair();
  std::shared_ptr<CpuBudget> reader_budget_ = std::make_shared<CpuBudget>(0.02);
  std::shared_ptr<CpuBudget> server_budget_ = std::make_shared<CpuBudget>(0.02);
  scheduling::SnapshotInbox inbox_;
  const std::shared_ptr<const Snapshot> newest_ = Complete();
  TableResolver resolver_;
  std::atomic<bool> begun_ = false;
  std::string ended_because_;
  ReaderClient client_{std::move(ends_.first), server_budget_};
  std::jthread reader_;
};

TEST_F(ChannelTest, TheReaderSaysWhatItIs) {
  Serve();
  const auto hello = client_.Hello(Soon());
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->network_namespace.inode, 7U);
  EXPECT_EQ(hello->capabilities, "CAP_NET_ADMIN");
  EXPECT_FALSE(hello->why_not);
}

TEST_F(ChannelTest, EverySampleCrossesAsItIs) {
  Serve();
  const auto sent = Complete();
  inbox_.Put(sent);
  const auto received = client_.Next(Soon());
  ASSERT_TRUE(received) << received.error().message;
  ASSERT_NE(*received, nullptr);
  EXPECT_EQ(BytesOf(**received), BytesOf(*sent));
  EXPECT_NE((*received)->Find<sources::FirewallSample>(), nullptr);
  EXPECT_FALSE(begun_) << "the server does not listen yet";
  EXPECT_TRUE(client_.Next(Soon()));
  EXPECT_TRUE(begun_);
  EXPECT_EQ(client_.Report().refused.at(0).number, 59);
}

TEST_F(ChannelTest, ASampleThatStaysIsTheSameObject) {
  Serve();
  const auto sent = Complete();
  inbox_.Put(sent);
  const auto first = *client_.Next(Soon());
  auto second = std::make_shared<Snapshot>(*sent);
  second->collectors[0].data = nullptr;
  second->collectors[0].errors = {{FailureReason::kTimeout, 0, "late"}};
  inbox_.Put(second);
  const auto received = *client_.Next(Soon());
  ASSERT_NE(received, nullptr);
  EXPECT_EQ(received->collectors[0].data, nullptr);
  EXPECT_EQ(received->collectors[0].errors.at(0).message, "late");
  for (std::size_t i = 1; i < first->collectors.size(); ++i) {
    EXPECT_EQ(received->collectors[i].data, first->collectors[i].data);
  }
}

TEST_F(ChannelTest, AnUnchangedRulesetStaysTheSameObjectInANewSample) {
  Serve();
  auto sent = Complete();
  inbox_.Put(sent);
  const auto first = *client_.Next(Soon());
  sent = std::make_shared<Snapshot>(*sent);
  for (scheduling::CollectorStatus& status : sent->collectors) {
    if (status.info->name == sources::FirewallSample::kCollector) {
      status.data =
          std::make_shared<const sources::FirewallSample>(dynamic_cast<const sources::FirewallSample&>(*status.data));
    }
  }
  inbox_.Put(sent);
  const auto second = *client_.Next(Soon());
  const auto* before = first->Find<sources::FirewallSample>();
  const auto* after = second->Find<sources::FirewallSample>();
  EXPECT_NE(before, after);
  EXPECT_EQ(before->ruleset, after->ruleset);
}

TEST_F(ChannelTest, WhoHasLostWhatItWasToldIsToldAgain) {
  auto ends = *Connection::MakePair();
  std::jthread reader([&, connection = std::move(ends.second)]() mutable {
    Answerer(std::move(connection),
             {{}, inbox_, resolver_, reader_budget_, kMayAskAll, [] { return process::ProcessReport(); }, [] {}})
        .Run();
  });
  std::vector<std::size_t> sizes;
  for (const bool resend_all : {false, false, true}) {
    inbox_.Put(newest_);
    codec::Encoder encoder;
    encoder.Put(Question{resend_all, NextQuestion{}});
    ASSERT_TRUE(ends.first.Send(encoder.Bytes(), Soon()));
    sizes.push_back(ends.first.Receive(Soon())->size());
  }
  ends.first.Shutdown();
  EXPECT_LT(sizes[1], sizes[0]);
  EXPECT_GE(sizes[2], sizes[0]) << "and what was released before";
}

TEST_F(ChannelTest, NothingNewIsAnAnswer) {
  Serve();
  const auto received = client_.Next(Soon());
  ASSERT_TRUE(received);
  EXPECT_EQ(*received, nullptr);
}

TEST_F(ChannelTest, FactsAreResolvedWhereTheKernelIs) {
  const Need quota = QuotaKey{"a"};
  const Need absent = QuotaKey{"b"};
  const Need route = RouteKey{};
  const Need lost = QuotaKey{"c"};
  auto way = std::make_shared<firewall::facts::Route>();
  way->egress.name = "eth0";
  resolver_.facts.emplace(quota, Fact::Present(true));
  resolver_.facts.emplace(absent, Fact::Absent());
  resolver_.facts.emplace(route, Fact::Present(std::shared_ptr<const firewall::facts::Route>(way)));
  Serve();
  FactStore store;
  RemoteResolver(client_).Resolve({quota, absent, route, lost}, store);
  EXPECT_TRUE(*store.Find(quota)->As<bool>());
  EXPECT_TRUE(store.Find(absent)->IsAbsent());
  EXPECT_EQ((*store.Find(route)->As<std::shared_ptr<const firewall::facts::Route>>())->egress.name, "eth0");
  EXPECT_NE(store.Find(lost)->Why(), nullptr);
}

TEST_F(ChannelTest, MoreNeedsThanAQuestionHoldsAreAskedForInSeveral) {
  Needs needs;
  for (int i = 0; i < 10'000; ++i) {
    const Need need = QuotaKey{std::to_string(i)};
    needs.insert(need);
    resolver_.facts.emplace(need, Fact::Present(i % 2 == 0));
  }
  Serve();
  FactStore store;
  RemoteResolver(client_).Resolve(needs, store);
  EXPECT_TRUE(*store.Find(QuotaKey{"9998"})->As<bool>());
  EXPECT_FALSE(*store.Find(QuotaKey{"9999"})->As<bool>());
  EXPECT_EQ(store.Size(), 10'000U);
}

TEST_F(ChannelTest, ChangesOfRoutesCrossWithTheSnapshot) {
  Serve();
  FactStore store;
  store.Put(RouteKey{}, Fact::Absent());
  store.Put(NamespaceKey{}, Fact::Absent());
  RemoteResolver resolver(client_);
  inbox_.Put(Complete());
  ASSERT_TRUE(client_.Next(Soon()));
  resolver.TakeInChanges(store);
  EXPECT_NE(store.Find(RouteKey{}), nullptr);
  resolver_.routes_changed = true;
  inbox_.Put(Complete());
  ASSERT_TRUE(client_.Next(Soon()));
  resolver.TakeInChanges(store);
  EXPECT_EQ(store.Find(RouteKey{}), nullptr);
  EXPECT_EQ(store.Stale().size(), 1U);
}

TEST_F(ChannelTest, BothProcessesLiveOnOneCpuBudget) {
  Serve();
  const std::size_t here = server_budget_->AddClaim(0.5);
  const std::size_t there = reader_budget_->AddClaim(0.5);
  server_budget_->SetDemand(here, 1);
  reader_budget_->SetDemand(there, 1);
  ASSERT_TRUE(client_.Next(Soon()));
  EXPECT_DOUBLE_EQ(server_budget_->Granted(here), 0.01);
  EXPECT_DOUBLE_EQ(reader_budget_->Granted(there), 0.01);
}

TEST_F(ChannelTest, TheReaderEndsWithTheServer) {
  Serve();
  TearDown();
  EXPECT_THAT(ended_because_, HasSubstr("gone"));
}

TEST_F(ChannelTest, WhatIsNotOnTheListEndsTheChannel) {
  codec::Encoder encoder;
  encoder.Put(false);
  encoder.Put(std::uint8_t{3});  // a fourth question
  auto ends = *Connection::MakePair();
  ASSERT_TRUE(ends.first.Send(encoder.Bytes(), Soon()));
  Answerer answerer(
      std::move(ends.second),
      {{}, inbox_, resolver_, reader_budget_, kMayAskAll, [] { return process::ProcessReport(); }, [] {}});
  EXPECT_THAT(answerer.Run().message, HasSubstr("not on the list"));
}

TEST_F(ChannelTest, TooManyNeedsAtOnceEndTheChannel) {
  FactsQuestion question;
  question.needs.resize(kMostNeeds + 1, QuotaKey{"a"});
  codec::Encoder encoder;
  encoder.Put(Question{false, question});
  auto ends = *Connection::MakePair();
  std::jthread sender([&] { EXPECT_TRUE(ends.first.Send(encoder.Bytes(), Soon())); });
  Answerer answerer(
      std::move(ends.second),
      {{}, inbox_, resolver_, reader_budget_, kMayAskAll, [] { return process::ProcessReport(); }, [] {}});
  EXPECT_THAT(answerer.Run().message, HasSubstr("not on the list"));
}

// A reader whose answers a test makes up.
class LiarTest : public testing::Test {
 protected:
  void Answer(std::vector<std::byte> bytes) {
    ASSERT_TRUE(ends_.second.Receive(Soon()));
    ASSERT_TRUE(ends_.second.Send(bytes, Soon()));
  }
  static codec::Encoder Begin() {
    codec::Encoder encoder;
    encoder.Put(std::vector<codec::SentObjects::Number>());
    return encoder;
  }
  static std::vector<std::byte> NextWith(const Snapshot& snapshot, SnapshotEncoder& snapshots) {
    codec::Encoder encoder = Begin();
    NextAnswer answer;
    answer.is_new = true;
    encoder.Put(answer);
    snapshots.Put(snapshot, encoder);
    return encoder.Take();
  }

  std::pair<Connection, Connection> ends_ = *Connection::MakePair();
  ReaderClient client_{std::move(ends_.first), std::make_shared<CpuBudget>(0.02)};
};

TEST_F(LiarTest, NoiseIsRefusedAndNothingIsAskedAgain) {
  std::jthread reader([&] { Answer(std::vector<std::byte>(100, std::byte{0xff})); });
  const auto next = client_.Next(Soon());
  ASSERT_FALSE(next);
  EXPECT_THAT(next.error().message, HasSubstr("no answer"));
  EXPECT_TRUE(client_.IsGone());
  EXPECT_FALSE(client_.Next(Soon()));
}

TEST_F(LiarTest, OfAReaderThatIsGoneTheTimeThatItUsedIsLeft) {
  std::jthread reader([&] {
    SnapshotEncoder snapshots;
    codec::Encoder encoder = Begin();
    NextAnswer answer;
    answer.is_new = true;
    process::Usage& usage = answer.report.usage.emplace();
    usage.cpu_seconds = 3;
    usage.threads = 9;
    usage.resident_bytes = usage.virtual_bytes = 4096;
    usage.memory_bytes = 4096;
    encoder.Put(answer);
    snapshots.Put(*Complete(), encoder);
    Answer(encoder.Take());
    Answer(std::vector<std::byte>(100, std::byte{0xff}));
  });
  ASSERT_TRUE(client_.Next(Soon()));
  EXPECT_EQ(client_.Report().usage->threads, 9U);
  EXPECT_FALSE(client_.Next(Soon()));
  const process::Usage left = *client_.Report().usage;
  EXPECT_EQ(left.cpu_seconds, 3);
  EXPECT_EQ(left.threads, 0U);
  EXPECT_EQ(left.resident_bytes, 0U);
  EXPECT_EQ(left.virtual_bytes, 0U);
  EXPECT_EQ(left.memory_bytes, 0U);
}

TEST_F(LiarTest, CountersThatFallAreRefused) {
  auto snapshot = Complete();
  SnapshotEncoder snapshots;
  std::jthread reader([&] {
    Answer(NextWith(*snapshot, snapshots));
    snapshot->collectors[0].failures[1] = 3;
    Answer(NextWith(*snapshot, snapshots));
  });
  EXPECT_TRUE(client_.Next(Soon()));
  EXPECT_FALSE(client_.Next(Soon()));
  EXPECT_TRUE(client_.IsGone());
}

TEST_F(LiarTest, OtherCollectorsThanBeforeAreRefused) {
  auto snapshot = Complete();
  SnapshotEncoder snapshots;
  std::jthread reader([&] {
    Answer(NextWith(*snapshot, snapshots));
    snapshot->collectors.pop_back();
    Answer(NextWith(*snapshot, snapshots));
  });
  EXPECT_TRUE(client_.Next(Soon()));
  EXPECT_FALSE(client_.Next(Soon()));
}

TEST_F(LiarTest, ALateAnswerIsNotLost) {
  const auto snapshot = Complete();
  SnapshotEncoder snapshots;
  EXPECT_EQ(client_.Next(Deadline::After(milliseconds(1))).error().reason, FailureReason::kTimeout);
  std::jthread reader([&] { Answer(NextWith(*snapshot, snapshots)); });
  const auto next = client_.Next(Soon());
  ASSERT_TRUE(next);
  EXPECT_EQ(BytesOf(**next), BytesOf(*snapshot));
}

TEST_F(LiarTest, LateFactsAreNotTakenForASnapshot) {
  FactStore store;
  client_.Resolve({QuotaKey{"a"}}, store, Deadline::After(milliseconds(1)));
  EXPECT_NE(store.Find(QuotaKey{"a"})->Why(), nullptr);
  const auto snapshot = Complete();
  SnapshotEncoder snapshots;
  std::jthread reader([&] {
    codec::Encoder facts = Begin();
    facts.Put(FactsAnswer{{Fact::Value(true)}});
    Answer(facts.Take());
    Answer(NextWith(*snapshot, snapshots));
  });
  const auto next = client_.Next(Soon());
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_NE(*next, nullptr);
}

TEST_F(LiarTest, FewerFactsThanNeedsAreRefused) {
  std::jthread reader([&] {
    codec::Encoder facts = Begin();
    facts.Put(FactsAnswer{});
    Answer(facts.Take());
  });
  FactStore store;
  client_.Resolve({QuotaKey{"a"}}, store, Soon());
  EXPECT_NE(store.Find(QuotaKey{"a"})->Why(), nullptr);
  EXPECT_TRUE(client_.IsGone());
}

TEST_F(LiarTest, WhileNobodyAnswersTheDataIsAbsentAndCountedOnce) {
  auto snapshot = Complete();
  SnapshotEncoder snapshots;
  {
    std::jthread reader([&] { Answer(NextWith(*snapshot, snapshots)); });
    EXPECT_TRUE(client_.Next(Soon()));
  }
  const Error why{FailureReason::kTimeout, 0, "slow"};
  const auto timeout = static_cast<std::size_t>(FailureReason::kTimeout);
  for (int i = 0; i < 2; ++i) {
    const auto shown = client_.Unavailable(why);
    EXPECT_EQ(shown->collectors[0].data, nullptr);
    EXPECT_EQ(shown->collectors[0].errors.at(0).message, "slow");
    EXPECT_EQ(shown->collectors[0].failures[timeout], 1U);
    EXPECT_EQ(shown->collectors[0].failures[1], 4U);
  }
  std::jthread reader([&] { Answer(NextWith(*snapshot, snapshots)); });
  const auto again = client_.Next(Soon());
  ASSERT_TRUE(again);
  EXPECT_NE((*again)->collectors[0].data, nullptr);
  EXPECT_EQ((*again)->collectors[0].failures[timeout], 1U) << "a counter never goes back";
}

TEST_F(LiarTest, TheFeedGoesOnWithoutDataWhenTheReaderEnds) {
  const auto snapshot = Complete();
  std::jthread reader([&] {
    SnapshotEncoder snapshots;
    Answer(NextWith(*snapshot, snapshots));
    ends_.second.Shutdown();
  });
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<bool, bool>> consumed;  // fresh, with data
  SnapshotFeed feed(client_, [&](auto shown, bool fresh) {
    const std::lock_guard lock(mutex);
    consumed.emplace_back(fresh, shown->collectors[0].data != nullptr);
    changed.notify_all();
  });
  ASSERT_TRUE(feed.TakeFirst());
  feed.Start();
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, seconds(20), [&] { return consumed.size() == 2; }));
  EXPECT_EQ(consumed[0], std::pair(true, true));
  EXPECT_EQ(consumed[1], std::pair(false, false));
  lock.unlock();
  EXPECT_TRUE(feed.Stop(Soon()));
  EXPECT_TRUE(feed.Stop(Soon()));
}

}  // namespace
}  // namespace finwait::channel
