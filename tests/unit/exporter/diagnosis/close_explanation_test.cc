#include "exporter/diagnosis/close_explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Disposition;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::facts::Fact;

const IpAddress kOwn = *IpAddress::Parse("192.0.2.1");

// A host that forwards, with one address of its own and without sockets.
class Router : public firewall::facts::Resolver {
 public:
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    for (const firewall::facts::Need& need : needs) {
      store.Put(need, Answer(need));
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}

 private:
  static Fact Answer(const firewall::facts::Need& need) {
    if (std::holds_alternative<firewall::facts::NamespaceKey>(need)) {
      firewall::facts::NamespaceFacts settings;
      settings.early_demultiplexing = true;
      settings.routes_by_mark = settings.routes_by_user = settings.routes_by_type_of_service = false;
      settings.routes_by_ports = false;
      settings.routes_everything = settings.forwards = true;
      return Fact::Present(settings);
    }
    if (const auto* key = std::get_if<firewall::facts::RouteKey>(&need)) {
      firewall::facts::Route route;
      route.local = key->destination == kOwn;
      route.on_link = true;
      route.egress = firewall::eval::Interface{"eth0", 2, 1, 0, ""};
      return Fact::Present(std::make_shared<const firewall::facts::Route>(route));
    }
    return Fact::Absent();
  }
};

class CloseExplanationTest : public testing::Test {
 protected:
  CloseExplanationTest() {
    connection_.local = Endpoint{kOwn, 40000};
    connection_.peer = *Endpoint::Parse("198.51.100.2:80");
    connection_.opened_by = OpenedBy::kLocal;
    connection_.first_client_port = 32768;
  }
  Result<CloseExplanation> Explain(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, nullptr);
    Router router;
    return ExplainClose(connection_, evaluator, &router);
  }
  void SetEntry() { connection_.entry.emplace().entry_state = kernel::ConntrackTcpState::kEstablished; }

  ExplainedConnection connection_;
};

TEST_F(CloseExplanationTest, EachPacketIsToldOnItsOwn) {
  const auto explanation = Explain(DropsAt({Hook::kOutput}));
  ASSERT_TRUE(explanation.has_value());
  EXPECT_EQ(explanation->fate, Fate::kFinDropped);
  EXPECT_FALSE(explanation->with_entry);
  EXPECT_EQ(explanation->path, PathKind::kLocal);
  std::map<std::string_view, Disposition> told;
  for (const ExplainedPacket& packet : explanation->packets) {
    told[packet.name] = packet.result.disposition;
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre(
                        testing::Pair("fin", Disposition::kDrop), testing::Pair("rst", Disposition::kDrop),
                        testing::Pair("data", Disposition::kDrop), testing::Pair("ack", Disposition::kAccept),
                        testing::Pair("peer_fin", Disposition::kAccept)));
}

TEST_F(CloseExplanationTest, WhatIsLostWithItsEntryIsSaidToBe) {
  SetEntry();
  const auto lost = Explain(DropsFlagAt(Hook::kOutput, kFlagFin));
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->fate, Fate::kFinDropped);
  EXPECT_TRUE(lost->with_entry);
  const auto later = Explain(DropsAt({Hook::kOutput}));
  ASSERT_TRUE(later.has_value());
  EXPECT_FALSE(later->with_entry);
}

TEST_F(CloseExplanationTest, WhatIsLostWithItsEntryOnTheWayThroughIsSaidToo) {
  connection_.local = *Endpoint::Parse("203.0.113.7:40000");
  EXPECT_FALSE(Explain(DropsFlagAt(Hook::kForward, kFlagFin))->with_entry) << "none is known of";
  SetEntry();
  const auto lost = Explain(DropsFlagAt(Hook::kForward, kFlagFin));
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->fate, Fate::kFinDropped);
  EXPECT_TRUE(lost->with_entry);
  EXPECT_FALSE(Explain(DropsStateAt(Hook::kForward, kStateInvalid))->with_entry);
}

TEST_F(CloseExplanationTest, OnlyOfAForwardedConnectionPortsTellTheOpener) {
  const auto own = Explain(DropsAt({}));
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(own->passage, std::nullopt);
  EXPECT_EQ(own->taken_to_be_opened_by, std::nullopt);
  connection_.local = *Endpoint::Parse("203.0.113.7:40000");
  EXPECT_EQ(Explain(DropsAt({}))->taken_to_be_opened_by, std::nullopt) << "it is told";
  connection_.opened_by.reset();
  const auto forwarded = Explain(DropsAt({}));
  ASSERT_TRUE(forwarded.has_value());
  EXPECT_EQ(forwarded->path, PathKind::kForwarded);
  EXPECT_EQ(forwarded->passage, HostPassage::kForward);
  EXPECT_EQ(forwarded->taken_to_be_opened_by, OpenedBy::kLocal);
  SetEntry();
  EXPECT_EQ(Explain(DropsAt({}))->taken_to_be_opened_by, std::nullopt) << "its entry was seen";
}

TEST_F(CloseExplanationTest, WhatASocketTellsCountsInAnotherNamespaceToo) {
  connection_.local = *Endpoint::Parse("203.0.113.7:40000");
  EXPECT_EQ(Explain(DropsStateAt(Hook::kForward, kStateInvalid))->fate, Fate::kFinDropped);
  connection_.circumstances.sends_first = true;
  EXPECT_EQ(Explain(DropsStateAt(Hook::kForward, kStateInvalid))->fate, Fate::kClean) << "its data makes an entry";
  connection_.circumstances = {};
  EXPECT_EQ(Explain(DropsStateAt(Hook::kForward, kStateNew))->fate, Fate::kPeerDecides);
  connection_.circumstances.peer_has_closed = true;
  EXPECT_EQ(Explain(DropsStateAt(Hook::kForward, kStateNew))->fate, Fate::kAckDropped);
}

TEST_F(CloseExplanationTest, EndsInTheWrongOrderAreAnErrorUnlessTheyComeFromInside) {
  std::swap(connection_.local, connection_.peer);
  const auto swapped = Explain(DropsAt({}));
  ASSERT_FALSE(swapped.has_value());
  EXPECT_NE(swapped.error().message.find("give this host's end first"), std::string::npos);
  connection_.host_side = HostSide{firewall::eval::Interface{"eth0", 2, 1, 0, ""}, std::nullopt};
  const auto inside = Explain(DropsAt({}));
  ASSERT_TRUE(inside.has_value());
  EXPECT_EQ(inside->passage, HostPassage::kInput);
}

}  // namespace
}  // namespace finwait::diagnosis
