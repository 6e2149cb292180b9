#include "exporter/pairs/own_halves.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/diagnostician.h"
#include "exporter/pairs/live_stream.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"
#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::pairs {
namespace {

using namespace std::chrono_literals;

const Key kKey("a key of twenty bytes");

kernel::Translation Wire() { return {*Endpoint::Parse("198.51.100.1:5"), *Endpoint::Parse("198.51.100.2:6")}; }

TEST(LostHalvesTest, AreTheStuckOnesByBothPairsOfEnds) {
  incidents::Record stuck = incidents::RecordOf(1, 0, 90, incidents::SiteAt(7));
  stuck.translation = std::make_shared<const kernel::Translation>(Wire());
  incidents::Record reset = stuck;
  reset.kind = incidents::Kind::kReset;
  reset.local = reset.peer = Endpoint();
  incidents::Record alive = stuck;
  alive.cause = diagnosis::Cause::kZeroWindow;
  Digester digester(kKey);
  const LostDocument document = LostHalvesOf({stuck, reset, alive}, incidents::At(100), 10s, digester);
  ASSERT_EQ(document.halves.size(), 1U);
  const LostHalf& half = document.halves[0];
  EXPECT_EQ(half.ends[0].here, digester.Of(stuck.local, stuck.peer));
  EXPECT_EQ(half.ends[0].there, digester.Of(stuck.peer, stuck.local));
  EXPECT_EQ(half.ends[1].there, digester.Of(Wire().peer, Wire().local));
  EXPECT_FLOAT_EQ(half.lost_seconds, 100);
  EXPECT_FLOAT_EQ(half.settled_seconds, 100) << "the kernel gave up: nobody was told";
  EXPECT_EQ(half.cause, diagnosis::Cause::kLocalDrop);
  ASSERT_LT(half.rule, document.rules.size());
  EXPECT_EQ(document.rules[half.rule].text, "nft table ip filter, chain OUTPUT, handle 7");
  EXPECT_EQ(document.key, digester.OfKey());
}

TEST(LostHalvesTest, AResetThatTheWitnessNamedIsOneSinceItWasDropped) {
  incidents::Record reset = incidents::RecordOf(1, 90, 90, incidents::SiteAt(7));
  reset.kind = incidents::Kind::kReset;
  reset.outcome = incidents::Outcome::kCounted;
  Digester digester(kKey);
  const LostDocument document = LostHalvesOf({reset}, incidents::At(100), 10s, digester);
  ASSERT_EQ(document.halves.size(), 1U);
  EXPECT_EQ(document.halves[0].ends[0].here, digester.Of(reset.local, reset.peer));
  EXPECT_FLOAT_EQ(document.halves[0].settled_seconds, 10);
  EXPECT_FALSE(document.halves[0].ongoing);
}

TEST(LostHalvesTest, OneThatEndedMayHaveBeenAnsweredUntilTheNextSample) {
  incidents::Record ended = incidents::RecordOf(1, 0, 50);
  ended.outcome = incidents::Outcome::kEnded;
  Digester digester(kKey);
  EXPECT_FLOAT_EQ(LostHalvesOf({ended}, incidents::At(100), 10s, digester).halves[0].settled_seconds, 40);
  EXPECT_FLOAT_EQ(LostHalvesOf({ended}, incidents::At(51), 10s, digester).halves[0].settled_seconds, 0);
  EXPECT_FLOAT_EQ(LostHalvesOf({ended}, incidents::At(-9), 10s, digester).halves[0].lost_seconds, 0)
      << "a clock that was set back";
}

class LiveHalvesTest : public testing::Test {
 protected:
  LiveHalvesTest() : builder_(diagnosis::DropsAt({firewall::Hook::kOutput})) {}

  std::vector<LiveHalf> Read(bool owner_names = true) {
    const auto diagnosis = diagnostician_.Diagnose(builder_.Get(), builder_.Now(), {});
    memory_.Take(*diagnosis);
    const auto text = LiveHalvesOf(*diagnosis, memory_, builder_.Now() + 3s, owner_names, digester_);
    EXPECT_TRUE(text) << text.error().message;
    std::vector<LiveHalf> halves;
    LiveReader reader([&](const LiveHalf& half) { halves.push_back(half); });
    EXPECT_TRUE(reader.Read(text.value_or("")));
    EXPECT_TRUE(reader.End());
    header_ = reader.Header();
    return halves;
  }
  void Set(std::initializer_list<kernel::TcpSocket> sockets) {
    sources::TrackingSample sample;
    sample.sockets = kernel::SocketTable(sockets);
    builder_.Set(std::move(sample));
  }

  diagnosis::SnapshotBuilder builder_;
  diagnosis::Diagnostician diagnostician_;
  TranslationMemory memory_;
  Digester digester_{kKey};
  LiveHeader header_;
};

TEST_F(LiveHalvesTest, AreTheOpenSocketsWithTheirOwners) {
  kernel::TcpSocket open = diagnosis::OpenSocket(1);
  open.idle = 12'400ms;
  open.cgroup_id = 77;
  kernel::TcpSocket told = diagnosis::OpenSocket(2);
  told.state = kernel::TcpState::kCloseWait;
  Set({open, told, diagnosis::StuckClosing(3)});
  sources::NetworkNamespacesSample namespaces;
  namespaces.cgroups = std::make_shared<const sources::OwnedCgroups>(
      sources::OwnedCgroups{{{77, {kernel::namespaces::OwnerKind::kUnit, "", "web.service", ""}}}});
  builder_.Set(namespaces);
  const auto halves = Read();
  ASSERT_EQ(halves.size(), 2U);
  EXPECT_EQ(halves[0].digests[0], digester_.Of(open.local, open.peer));
  EXPECT_EQ(halves[0].digests[1], halves[0].digests[0]);
  EXPECT_EQ(halves[0].port, open.local.port);
  EXPECT_EQ(halves[0].silent_seconds, 12U);
  EXPECT_FLOAT_EQ(halves[0].sample_seconds, 3);
  EXPECT_FALSE(halves[0].peer_has_closed);
  ASSERT_LT(halves[0].owner, header_.owners.size());
  EXPECT_EQ(header_.owners[halves[0].owner], "unit web.service");
  EXPECT_TRUE(halves[1].peer_has_closed);
  EXPECT_EQ(halves[1].owner, kNone);
  (void)Read(false);
  EXPECT_EQ(header_.owners, std::vector<std::string>{"unit"}) << "--owners.names=off";
}

TEST_F(LiveHalvesTest, ATranslationOutlivesItsEntry) {
  kernel::TcpSocket translated = diagnosis::OpenSocket(1);
  translated.entry.destination_nat = true;
  translated.entry.translation = std::make_shared<const kernel::Translation>(Wire());
  Set({translated});
  const auto before = Read();
  EXPECT_EQ(before.at(0).digests[1], digester_.Of(Wire().local, Wire().peer));
  builder_.Advance(5s);
  Set({diagnosis::ForgottenSocket(1)});
  EXPECT_EQ(Read().at(0).digests, before.at(0).digests);
  Set({});
  (void)Read();
  Set({diagnosis::ForgottenSocket(1)});
  EXPECT_EQ(Read().at(0).digests[1], Read().at(0).digests[0]) << "another socket, when the first is gone";
}

TEST_F(LiveHalvesTest, OtherNamespacesSocketsAreTheirsAndAsOld) {
  auto live = std::make_shared<sources::ForeignLiveSockets>();
  live->sockets = kernel::SocketTable({diagnosis::OpenSocket(1)});
  live->namespaces = {5};
  live->taken_at = builder_.Now() - 60s;
  sources::NetworkNamespacesSample namespaces;
  namespaces.observes = true;
  namespaces.live = live;
  namespaces.namespaces.emplace_back().id = 5;
  namespaces.namespaces.back().owner = std::make_shared<const kernel::namespaces::Owner>(
      kernel::namespaces::Owner{kernel::namespaces::OwnerKind::kPod, "shop", "cart-0", ""});
  builder_.Set(namespaces);
  const auto halves = Read();
  ASSERT_EQ(halves.size(), 1U);
  EXPECT_TRUE(halves[0].elsewhere);
  EXPECT_FLOAT_EQ(halves[0].sample_seconds, 63);
  EXPECT_EQ(header_.owners.at(halves[0].owner), "pod shop/cart-0");
}

TEST_F(LiveHalvesTest, WhereSocketsCannotBeReadNothingIsSaidInstead) {
  builder_.Fail<sources::TrackingSample>("CAP_NET_ADMIN is missing");
  const auto diagnosis = diagnostician_.Diagnose(builder_.Get(), builder_.Now(), {});
  const auto text = LiveHalvesOf(*diagnosis, memory_, builder_.Now(), true, digester_);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, "the live sockets cannot be read: CAP_NET_ADMIN is missing");
}

}  // namespace
}  // namespace finwait::pairs
