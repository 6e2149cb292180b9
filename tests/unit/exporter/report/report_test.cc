#include "exporter/report/report.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <regex>

#include "exporter/diagnosis/diagnostician.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::report {
namespace {

using std::chrono::seconds;

constexpr std::size_t kPlaces = 40;
constexpr std::uint16_t kFirstPort = 1000;

// One chain with a rule for each place: it drops what goes to the place's port. Handles count from 1.
std::shared_ptr<const firewall::Ruleset> RulesByPort() {
  namespace eval = firewall::eval;
  std::vector<std::vector<firewall::Expression>> rules;
  for (unsigned place = 0; place < kPlaces; ++place) {
    const unsigned port = kFirstPort + place;
    rules.push_back({firewall::PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, firewall::Register{0}},
                     firewall::Compare{NFT_CMP_EQ, firewall::Register{0}, eval::ValueOf({port / 256, port % 256})},
                     eval::Drops()});
  }
  return std::make_shared<const firewall::Ruleset>(
      eval::HandMadeTable().Base("out", firewall::Hook::kOutput, std::move(rules)).AsRuleset());
}

// Every second place is for IPv6.
Endpoint At(std::size_t place, const char* ipv4, const char* ipv6, std::uint16_t port) {
  return {*IpAddress::Parse(place % 2 == 0 ? ipv4 : ipv6), port};
}

// Place 0 has the fewest sockets, and the youngest.
std::uint64_t SocketsAt(std::size_t place) { return 56 + place; }

class ManyStuckTest : public testing::Test {
 protected:
  void SetUp() override {
    tracked_.clear();
    closing_.clear();
    std::uint64_t cookie = 0;
    for (std::size_t place = 0; place < kPlaces; ++place) {
      for (std::uint64_t i = 0; i < SocketsAt(place); ++i) {
        kernel::TcpSocket live = diagnosis::ForgottenSocket(++cookie, kernel::TcpState::kFinWait1);
        live.local = At(place, "192.0.2.1", "2001:db8::1", static_cast<std::uint16_t>(10'000 + cookie));
        live.peer = At(place, "192.0.2.2", "2001:db8::2", static_cast<std::uint16_t>(kFirstPort + place));
        kernel::TcpSocket closing = diagnosis::StuckClosing(cookie);
        closing.local = live.local;
        closing.peer = live.peer;
        closing.minimum_age = seconds(10 + place);
        tracked_.push_back(live);
        closing_.push_back(closing);
      }
    }
    sources::TrackingSample tracking;
    tracking.sockets = kernel::SocketTable(tracked_);
    host_.Set(tracking);
    sources::SocketsSample sockets;
    sockets.closing = closing_;
    host_.Set(sockets);
  }
  std::shared_ptr<const Report> Collect() {
    return MakeReport(diagnostician_.Diagnose(host_.Get(), host_.Now(), scheduling::WallClock::now()));
  }
  // The sum of what `pattern` finds in `statements`, and in how many it finds something.
  static std::pair<std::uint64_t, std::size_t> Sum(const std::vector<Statement>& statements,
                                                   const std::string& pattern) {
    std::uint64_t sum = 0;
    std::size_t found = 0;
    for (const Statement& one : statements) {
      std::smatch match;
      if (std::regex_search(one.text, match, std::regex(pattern))) {
        sum += std::stoull(match[1]);
        ++found;
      }
    }
    return {sum, found};
  }
  void ExpectEachPlace(const Report& report) const {
    ASSERT_EQ(report.drop_sites.size(), kPlaces);
    for (const AffectedSite& site : report.drop_sites) {
      EXPECT_EQ(site.stuck, SocketsAt(*site.site.rule.handle - 1)) << *site.site.rule.handle;
    }
  }

  std::vector<kernel::TcpSocket> tracked_;
  std::vector<kernel::TcpSocket> closing_;
  diagnosis::SnapshotBuilder host_ = diagnosis::SnapshotBuilder(RulesByPort());
  diagnosis::Diagnostician diagnostician_;
};

TEST_F(ManyStuckTest, EveryStuckSocketIsCountedAtItsPlace) {
  ASSERT_GE(closing_.size(), 3000U);
  const auto report = Collect();
  ASSERT_EQ(report->diagnosis->stuck->sockets.size(), closing_.size());
  ExpectEachPlace(*report);
  EXPECT_TRUE(std::all_of(report->diagnosis->stuck->sockets.begin(), report->diagnosis->stuck->sockets.end(),
                          [](const auto& one) { return one.site != nullptr; }));
}

TEST_F(ManyStuckTest, TheSumsOfWhyAndWhatToDoAreTheNumberOfStuckSockets) {
  const auto report = Collect();
  const auto all = std::pair(static_cast<std::uint64_t>(closing_.size()), kPlaces);
  EXPECT_EQ(Sum(report->explanation.why, "of ([0-9]+) stuck sockets"), all);
  EXPECT_EQ(Sum(report->explanation.what_to_do, "^Now: let ([0-9]+) stuck sockets finish"), all);
  EXPECT_EQ(report->explanation.urgent, kPlaces);
  EXPECT_NE(report->explanation.verdict.find(std::to_string(closing_.size())), std::string::npos);
}

TEST_F(ManyStuckTest, EachPlaceIsAdvisedAboutByItsOwnRule) {
  const auto report = Collect();
  for (std::size_t place = 0; place < kPlaces; ++place) {
    const std::string count = "let " + std::to_string(SocketsAt(place)) + " stuck";
    const std::string handle = "out handle " + std::to_string(place + 1) + " ";
    EXPECT_TRUE(std::any_of(report->explanation.what_to_do.begin(), report->explanation.what_to_do.end(),
                            [&](const Statement& one) {
                              return one.text.find(count) != std::string::npos &&
                                     one.command.find(handle) != std::string::npos;
                            }))
        << place;
  }
}

TEST_F(ManyStuckTest, APlaceStaysThatOfTheLastTryWhenTheRulesChange) {
  Collect();
  host_.Advance(seconds(5));
  SetUp();  // the same again: what was found is settled
  Collect();
  sources::FirewallSample opened;
  opened.ruleset = std::make_shared<const firewall::Ruleset>();
  host_.Set(opened);
  ExpectEachPlace(*Collect());
}

TEST_F(ManyStuckTest, GroupsHoldEverySocketOnceTheLargestFirst) {
  const auto report = Collect();
  ASSERT_EQ(report->stuck_groups.size(), kPlaces);
  std::uint64_t sum = 0;
  for (const SocketGroup& group : report->stuck_groups) {
    EXPECT_TRUE(group.at_peer);
    EXPECT_EQ(group.sockets, SocketsAt(group.end.port - kFirstPort));
    sum += group.sockets;
  }
  EXPECT_EQ(sum, closing_.size());
  EXPECT_EQ(report->stuck_groups.front().end.port, kFirstPort + kPlaces - 1);
}

TEST_F(ManyStuckTest, APacketThatSomeRulesDropDoesNotPassForAll) {
  const auto report = Collect();
  const std::size_t fin = diagnosis::Index(diagnosis::PathPacket::kFin);
  EXPECT_EQ((*report->diagnosis->paths)[0][fin], firewall::eval::Disposition::kAccept) << "in general";
  EXPECT_TRUE(report->dropped_for_some[0][fin]);
  EXPECT_TRUE(report->dropped_for_some[1][fin]);
  EXPECT_FALSE(report->dropped_for_some[0][diagnosis::Index(diagnosis::PathPacket::kPeerFin)]);
}

}  // namespace
}  // namespace finwait::report
