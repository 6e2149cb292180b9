#include "exporter/diagnosis/forwarded_close.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Interface;
using firewall::eval::PacketKind;
using firewall::eval::Tristate;
using firewall::facts::Fact;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;

// A pod behind the host's bridge br0 (index 5); the peer behind eth0 (index 2).
class ForwardedCloseTest : public testing::Test {
 protected:
  ForwardedCloseTest() {
    forwarded_.local = *Endpoint::Parse("192.0.2.2:40000");
    forwarded_.peer = *Endpoint::Parse("198.51.100.2:80");
    forwarded_.host_side = HostSide{bridge_, Interface{"veth1", 6, 1, 0, "veth"}};
    forwarded_.tracked = Tristate::kYes;
    history_.entry_state = kernel::ConntrackTcpState::kEstablished;
    history_.lost_while_open = true;
    NamespaceFacts settings;
    settings.early_demultiplexing = true;
    settings.routes_by_mark = settings.routes_by_type_of_service = false;
    settings.routes_by_ports = false;
    settings.forwards = true;
    settings.bridge_calls_rules = false;
    Put(settings);
    PutRoute(Key(std::nullopt, forwarded_.local.address, 0), bridge_);
    PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), up_);
    PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 5), up_);
    PutRoute(Key(forwarded_.peer.address, forwarded_.local.address, 2), bridge_);
  }

  static RouteKey Key(std::optional<IpAddress> source, const IpAddress& destination, std::uint32_t arriving_on) {
    RouteKey key;
    key.source = source;
    key.destination = destination;
    key.arriving_on = arriving_on;
    return key;
  }
  void Put(const NamespaceFacts& settings) { store_->Put(NamespaceKey{IpFamily::kIpv4}, Fact::Present(settings)); }
  void PutRoute(const RouteKey& key, const Interface& egress, bool local = false, bool on_link = true) {
    Route route;
    route.local = local;
    route.egress = egress;
    route.on_link = on_link;
    store_->Put(key, Fact::Present(std::make_shared<const Route>(route)));
  }
  ForwardedOutcome Evaluate(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, store_);
    ForwardedOutcome outcome = EvaluateForwardedClose(evaluator, forwarded_, seen_ ? &history_ : nullptr);
    EXPECT_FALSE(outcome.incomplete);
    return outcome;
  }

  // In FIN_WAIT_1, after three tries; its entry is not known.
  kernel::TcpSocket StuckSocket() const {
    kernel::TcpSocket socket;
    socket.local = forwarded_.local;
    socket.peer = forwarded_.peer;
    socket.state = kernel::TcpState::kFinWait1;
    socket.tries = 3;
    socket.timer = kernel::SocketTimer::kRetransmit;
    return socket;
  }

  const Interface bridge_{"br0", 5, 1, 0, "bridge"};
  const Interface up_{"eth0", 2, 1, 0, ""};
  std::shared_ptr<firewall::facts::FactStore> store_ = std::make_shared<firewall::facts::FactStore>();
  ForwardedConnection forwarded_;
  ConnectionHistory history_;
  bool seen_ = true;
};

TEST_F(ForwardedCloseTest, OnlyTheHooksOnTheWayThroughDecide) {
  EXPECT_EQ(Evaluate(DropsAt({})).fate, Fate::kClean);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kFinDropped);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateNew)).fate, Fate::kPeerDecides);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kPostrouting, kStateInvalid)).fate, Fate::kFinDropped);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kInput, kStateInvalid)).fate, Fate::kClean);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kOutput, kStateInvalid)).fate, Fate::kClean);
}

TEST_F(ForwardedCloseTest, QueuedDataBringsTheEntryBackForTheFin) {
  forwarded_.sends_first = true;
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kClean);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kForward})).fate, Fate::kFinDropped) << "data is dropped as well";
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateEstablished)).fate, Fate::kFinDropped);
}

TEST_F(ForwardedCloseTest, MultipathTcpClosesByABareAckThatMakesAnEntry) {
  forwarded_.multipath = Tristate::kYes;
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kClean);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kForward})).fate, Fate::kFinDropped);
}

TEST_F(ForwardedCloseTest, WhetherItIsOfMultipathTcpIsAskedOnlyWhereThatDecides) {
  forwarded_.multipath = Tristate::kUnknown;
  const ForwardedOutcome outcome = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(outcome.fate, Fate::kUnknown);
  EXPECT_NE(outcome.reason.find("Multipath TCP"), std::string::npos) << outcome.reason;
  EXPECT_EQ(Evaluate(DropsAt({})).fate, Fate::kClean);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kForward})).fate, Fate::kFinDropped);
}

TEST_F(ForwardedCloseTest, ARememberedTranslationIsLostUnlessARuleDropsTheFinBefore) {
  history_.source_nat = true;
  EXPECT_EQ(Evaluate(DropsAt({})).fate, Fate::kNatLost);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kFinDropped);
}

TEST_F(ForwardedCloseTest, APeerOfThisHostsOwnIsReachedByInput) {
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), {}, true);
  PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 5), {}, true);
  seen_ = false;
  CloseEvaluator evaluator(DropsStateAt(Hook::kInput, kStateInvalid), {true, {true, true}}, store_);
  const ForwardedOutcome outcome = EvaluateForwardedClose(evaluator, forwarded_, nullptr);
  EXPECT_EQ(outcome.fate, Fate::kFinDropped);
  EXPECT_EQ(outcome.passage, HostPassage::kInput);
  EXPECT_EQ(outcome.fin.hook, Hook::kInput);
}

TEST_F(ForwardedCloseTest, AServiceAtAnAddressOfThisHostIsLostWithItsTranslation) {
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), {}, true);
  PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 5), {}, true);
  history_.destination_nat = true;
  EXPECT_EQ(Evaluate(DropsAt({})).fate, Fate::kNatLost);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kInput, kStateInvalid)).fate, Fate::kNatLost);
}

TEST_F(ForwardedCloseTest, WhatHasNoRouteOrIsNotForwardedIsDroppedByNoRule) {
  store_->Put(Key(forwarded_.local.address, forwarded_.peer.address, 5), Fact::Absent());
  const ForwardedOutcome unrouted = Evaluate(DropsAt({}));
  EXPECT_EQ(unrouted.fate, Fate::kFinDropped);
  EXPECT_FALSE(unrouted.fin.location.has_value());
  EXPECT_NE(unrouted.fin.reason.find("no route"), std::string::npos);
  NamespaceFacts settings;
  settings.routes_by_mark = settings.routes_by_ports = settings.routes_by_type_of_service = settings.forwards = false;
  Put(settings);
  EXPECT_NE(Evaluate(DropsAt({})).fin.reason.find("forwards no packets"), std::string::npos);
}

TEST_F(ForwardedCloseTest, WhatABridgePassesMeetsNoRuleUnlessTheyAreCalled) {
  seen_ = false;  // no entry is made of it
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), bridge_);
  const ForwardedOutcome outcome = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(outcome.fate, Fate::kClean);
  EXPECT_EQ(outcome.passage, HostPassage::kBridged);
  NamespaceFacts settings;
  settings.routes_by_mark = settings.routes_by_ports = settings.routes_by_type_of_service = false;
  settings.bridge_calls_rules = true;
  Put(settings);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kFinDropped);
}

// Behind one bridge, which calls no rules: an entry can only be of what this host routes.
TEST_F(ForwardedCloseTest, WhatHadAnEntryBehindABridgeThatCallsNoRulesIsRouted) {
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), bridge_);
  PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 5), bridge_);
  PutRoute(Key(forwarded_.peer.address, forwarded_.local.address, 5), bridge_);
  const ForwardedOutcome routed = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(routed.fate, Fate::kFinDropped);
  EXPECT_EQ(routed.passage, HostPassage::kForward);
  seen_ = false;
  const ForwardedOutcome bridged = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(bridged.fate, Fate::kClean);
  EXPECT_EQ(bridged.passage, HostPassage::kBridged);
}

// A container of the LAN's, whose gateway is this host's own, too; or this host is its gateway.
TEST_F(ForwardedCloseTest, WhetherABridgePassesItToAGatewayIsNotGuessed) {
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), bridge_, false, false);
  PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 5), bridge_, false, false);
  PutRoute(Key(forwarded_.peer.address, forwarded_.local.address, 5), bridge_);
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kFinDropped)
      << "with an entry it is routed";
  seen_ = false;
  const ForwardedOutcome outcome = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(outcome.fate, Fate::kUnknown);
  EXPECT_TRUE(outcome.may_bypass_tracking);
  EXPECT_NE(outcome.reason.find("behind one bridge"), std::string::npos);
  EXPECT_EQ(Evaluate(DropsAt({})).fate, Fate::kClean);
}

// A pod with a macvlan beside its veth: this host reaches that address by another device.
TEST_F(ForwardedCloseTest, AnAddressThatIsReachedByAnotherDeviceMayPassThisHostBy) {
  PutRoute(Key(std::nullopt, forwarded_.local.address, 0), up_);
  PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 0), up_);
  PutRoute(Key(forwarded_.peer.address, forwarded_.local.address, 2), up_);
  seen_ = false;
  const ForwardedOutcome outcome = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(outcome.fate, Fate::kUnknown);
  EXPECT_TRUE(outcome.may_bypass_tracking);
  EXPECT_NE(outcome.reason.find("by another device"), std::string::npos);
  seen_ = true;
  EXPECT_EQ(Evaluate(DropsStateAt(Hook::kForward, kStateInvalid)).fate, Fate::kFinDropped);
  firewall::facts::FactQuery facts(*store_);
  EXPECT_EQ(ConnectionThrough(forwarded_, true, facts).ingress, Interface()) << "by which device, rules cannot be told";
}

TEST_F(ForwardedCloseTest, WithoutASignThatItIsTrackedItIsNotAtRisk) {
  seen_ = false;
  forwarded_.tracked = Tristate::kUnknown;
  const ForwardedOutcome outcome = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(outcome.fate, Fate::kUnknown);
  EXPECT_TRUE(outcome.may_bypass_tracking);
  EXPECT_FALSE(Evaluate(DropsAt({})).may_bypass_tracking);
}

TEST_F(ForwardedCloseTest, ANamespaceThatNoDeviceLeadsToIsNotEvaluated) {
  forwarded_.host_side = HostSideOf(kernel::NamespaceLink());
  history_.source_nat = true;
  const ForwardedOutcome outcome = Evaluate(DropsStateAt(Hook::kForward, kStateInvalid));
  EXPECT_EQ(outcome.fate, Fate::kUnknown);
  EXPECT_TRUE(outcome.may_bypass_tracking);
  EXPECT_NE(outcome.reason.find("no device of this host leads"), std::string::npos);
}

TEST_F(ForwardedCloseTest, OfATranslatedConnectionThePeersPacketsComeToTheTranslatedEnd) {
  history_.source_nat = true;
  history_.translation = std::make_shared<const kernel::Translation>(
      kernel::Translation{*Endpoint::Parse("198.51.100.1:40000"), forwarded_.peer});
  CloseEvaluator evaluator(DropsStateAt(Hook::kForward, kStateNew), {true, {true, true}}, store_);
  const auto ack = EvaluateForwardedPacket(evaluator, forwarded_, &history_, PacketKind::kAck);
  EXPECT_EQ(ack.disposition, firewall::eval::Disposition::kDrop);
  EXPECT_FALSE(ack.location.has_value()) << "the forward hook is not on its way";
  EXPECT_NE(ack.reason.find("198.51.100.1:40000"), std::string::npos);
}

TEST_F(ForwardedCloseTest, TheCauseIsThisHostsDropOrItsLostTranslation) {
  kernel::TcpSocket socket = StuckSocket();
  socket.entry.tracking = kernel::Tracking::kUntracked;
  const auto cause = [&](std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, store_);
    return FindForwardedCause(socket, forwarded_, {&evaluator, &history_, nullptr}).cause;
  };
  EXPECT_EQ(cause(DropsStateAt(Hook::kForward, kStateInvalid)), Cause::kForwardDrop);
  EXPECT_EQ(cause(DropsStateAt(Hook::kForward, kStateNew)), Cause::kForwardDrop);
  EXPECT_EQ(cause(DropsAt({})), Cause::kNoReply);
  history_.source_nat = true;
  EXPECT_EQ(cause(DropsAt({})), Cause::kNatLost);
  socket.timer = kernel::SocketTimer::kProbe;
  EXPECT_EQ(cause(DropsAt({})), std::nullopt) << "its FIN did not leave its own namespace";
  socket.timer = kernel::SocketTimer::kRetransmit;
  socket.entry.tracking = kernel::Tracking::kTracked;
  EXPECT_EQ(cause(DropsAt({})), Cause::kNoReply);
  EXPECT_EQ(cause(DropsStateAt(Hook::kForward, 2)), Cause::kForwardDrop) << "a rule drops what is tracked";
}

TEST_F(ForwardedCloseTest, AResetThatIsDroppedOnTheWayThroughProvesNothing) {
  kernel::TcpSocket socket;
  socket.local = forwarded_.local;
  socket.peer = forwarded_.peer;
  socket.state = kernel::TcpState::kLastAck;
  socket.tries = 3;
  socket.timer = kernel::SocketTimer::kRetransmit;
  socket.entry.tracking = kernel::Tracking::kUntracked;
  forwarded_.peer_has_closed = true;
  CloseEvaluator evaluator(DropsFlagAt(Hook::kForward, kFlagRst), {true, {true, true}}, store_);
  EXPECT_EQ(EvaluateForwardedClose(evaluator, forwarded_, &history_).fate, Fate::kPeerDecides);
  EXPECT_EQ(FindForwardedCause(socket, forwarded_, {&evaluator, &history_, nullptr}).cause, std::nullopt)
      << "the peer may be gone as well";
}

// The same connection while its entry is there.
class TrackedForwardedCloseTest : public ForwardedCloseTest {
 protected:
  TrackedForwardedCloseTest() {
    history_.lost_while_open = false;
    history_.entry_end = ExpiryReason::kStillThere;
  }
  ForwardedOutcome EvaluateTracked(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, store_);
    return EvaluateTrackedForwardedClose(evaluator, forwarded_, &history_);
  }
  Fate FateTracked(std::shared_ptr<const firewall::Ruleset> rules) { return EvaluateTracked(std::move(rules)).fate; }

  // Drops what has that flag and comes from that address, or goes to it, at `hook` of this priority.
  static std::shared_ptr<const firewall::Ruleset> DropsBetween(Hook hook, const std::string& address, bool from,
                                                               int priority = 0, unsigned flag = kFlagFin) {
    using namespace firewall;
    using namespace firewall::eval;
    Value wanted;
    for (const std::byte byte : IpAddress::Parse(address)->Bytes()) {
      wanted.push_back(byte);
    }
    HandMadeTable table(Backend::kNft, TableFamily::kIpv4);
    table.Base("chain", hook,
               {DropsFlag(flag, {PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, from ? 12U : 16U, 4, Register{0}},
                                 Compare{NFT_CMP_EQ, Register{0}, wanted}})},
               false, priority);
    return std::make_shared<const Ruleset>(table.AsRuleset());
  }
};

// nft's `iifname "eth0" tcp flags & fin == fin drop` at hook forward.
std::shared_ptr<const firewall::Ruleset> DropsFinsFrom(const std::string& device) {
  using namespace firewall;
  using namespace firewall::eval;
  Value name(16);
  for (std::size_t i = 0; i < device.size(); ++i) {
    name[i] = static_cast<std::byte>(device[i]);
  }
  HandMadeTable table;
  table.Base("chain", Hook::kForward,
             {DropsFlag(kFlagFin, {MetaLoad{NFT_META_IIFNAME, Register{0}}, Compare{NFT_CMP_EQ, Register{0}, name}})});
  return std::make_shared<const Ruleset>(table.AsRuleset());
}

TEST_F(TrackedForwardedCloseTest, RulesThatDropWhatHasAnEntryDecide) {
  EXPECT_EQ(FateTracked(DropsAt({})), Fate::kClean);
  EXPECT_EQ(FateTracked(DropsStateAt(Hook::kForward, kStateInvalid)), Fate::kClean);
  EXPECT_EQ(FateTracked(DropsFlagAt(Hook::kForward, kFlagFin)), Fate::kFinDropped);
  EXPECT_EQ(FateTracked(DropsFlagAt(Hook::kInput, kFlagFin)), Fate::kClean);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kForward, "198.51.100.2", true)), Fate::kPeerFinDropped);
  forwarded_.peer_has_closed = true;
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kForward, "198.51.100.2", true)), Fate::kClean) << "its FIN has come";
}

TEST_F(TrackedForwardedCloseTest, WhatPassesNoHookOrIsRefusedByRoutingIsTakenForClean) {
  const auto rules = DropsFlagAt(Hook::kForward, kFlagFin);
  store_->Put(Key(forwarded_.local.address, forwarded_.peer.address, 5), Fact::Absent());
  EXPECT_EQ(FateTracked(DropsAt({})), Fate::kClean) << "no route";
  forwarded_.host_side = NoHostSide();
  EXPECT_EQ(FateTracked(rules), Fate::kClean);
  EXPECT_TRUE(EvaluateTracked(rules).may_bypass_tracking);
}

TEST_F(TrackedForwardedCloseTest, ThePeersPacketsMayComeInElsewhereThanRoutingPicks) {
  EvaluationSettings settings{true, {true, true}};
  settings.ingress_devices[IpFamily::kIpv4] = {{"br0", 5}, {"eth0", 2}};
  const auto fate = [&](const std::shared_ptr<const firewall::Ruleset>& rules) {
    CloseEvaluator evaluator(rules, settings, store_);
    return EvaluateTrackedForwardedClose(evaluator, forwarded_, &history_).fate;
  };
  EXPECT_EQ(fate(DropsFinsFrom("eth0")), Fate::kPeerFinDropped);
  settings.ingress_devices[IpFamily::kIpv4].push_back({"eth1", 3});
  PutRoute(Key(forwarded_.peer.address, forwarded_.local.address, 3), bridge_);
  EXPECT_EQ(fate(DropsFinsFrom("eth0")), Fate::kClean);
  EXPECT_EQ(fate(DropsBetween(Hook::kForward, "198.51.100.2", true)), Fate::kPeerFinDropped) << "on any device";
}

TEST_F(TrackedForwardedCloseTest, AServiceHasItsAddressUntilPreroutingTranslatesIt) {
  const std::string service = "203.0.113.10";
  forwarded_.peer = Endpoint{*IpAddress::Parse(service), 443};
  history_.destination_nat = true;
  history_.translation = std::make_shared<const kernel::Translation>(
      kernel::Translation{forwarded_.local, *Endpoint::Parse("198.51.100.2:80")});
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), up_);
  const std::string behind = "198.51.100.2";
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kForward, behind, false)), Fate::kFinDropped);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kForward, service, false)), Fate::kClean);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kPrerouting, service, false, -150)), Fate::kFinDropped);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kPrerouting, behind, false, -150)), Fate::kClean);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kPrerouting, behind, false, 0)), Fate::kFinDropped);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kPrerouting, behind, false, -100)), Fate::kClean)
      << "of nat's own priority neither is known";
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kForward, behind, true)), Fate::kPeerFinDropped);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kPostrouting, service, true)), Fate::kClean);
  EXPECT_EQ(FateTracked(DropsBetween(Hook::kPostrouting, service, true, 200)), Fate::kPeerFinDropped);
}

TEST_F(TrackedForwardedCloseTest, WhatATranslationLeadsBackIntoThisHostIsTakenForClean) {
  history_.destination_nat = true;
  history_.translation = std::make_shared<const kernel::Translation>(
      kernel::Translation{forwarded_.local, *Endpoint::Parse("192.0.2.1:80")});
  PutRoute(Key(std::nullopt, *IpAddress::Parse("192.0.2.1"), 0), {}, true);
  EXPECT_EQ(FateTracked(DropsFlagAt(Hook::kForward, kFlagFin)), Fate::kClean);
  history_.translation = nullptr;
  EXPECT_EQ(FateTracked(DropsFlagAt(Hook::kForward, kFlagFin)), Fate::kClean) << "whose it was is not known";
}

TEST_F(TrackedForwardedCloseTest, OneAnswerHoldsForAllWhereRulesLetPassWhatHasAnEntry) {
  const auto all = [](const std::shared_ptr<const firewall::Ruleset>& rules) {
    CloseEvaluator evaluator(rules, {true, {true, true}}, {});
    return AllTrackedForwardedAreClean(evaluator, IpFamily::kIpv4, false);
  };
  EXPECT_TRUE(all(DropsAt({})));
  EXPECT_TRUE(all(DropsStateAt(Hook::kForward, kStateInvalid)));
  EXPECT_TRUE(all(DropsFlagAt(Hook::kInput, kFlagFin)));
  EXPECT_FALSE(all(DropsFlagAt(Hook::kForward, kFlagFin)));
  EXPECT_FALSE(all(DropsBetween(Hook::kForward, "198.51.100.2", true)));
  EXPECT_FALSE(all(UnreadableRules()));
  auto with_bridge = std::make_shared<firewall::Ruleset>();
  with_bridge->tables.emplace_back().family = firewall::TableFamily::kBridge;
  EXPECT_FALSE(all(with_bridge)) << "what a bridge passes on meets rules of its own";
}

TEST_F(TrackedForwardedCloseTest, AStuckOneIsSoForTheFinOrForItsAnswer) {
  kernel::TcpSocket socket = StuckSocket();
  socket.entry.tracking = kernel::Tracking::kTracked;
  const auto find = [&](std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, store_);
    return FindForwardedCause(socket, forwarded_, {&evaluator, nullptr, nullptr});
  };
  const StuckFinding fin = find(DropsFlagAt(Hook::kForward, kFlagFin));
  EXPECT_EQ(fin.cause, Cause::kForwardDrop);
  EXPECT_TRUE(fin.with_entry && !fin.is_answer);
  const StuckFinding ack = find(DropsBetween(Hook::kForward, "198.51.100.2", true, 0, kFlagAck));
  EXPECT_EQ(ack.cause, Cause::kForwardDrop);
  EXPECT_TRUE(ack.with_entry && ack.is_answer);
  EXPECT_EQ(find(DropsAt({})).cause, Cause::kNoReply);
}

// `rules` with a flowtable of family inet at these devices.
std::shared_ptr<const firewall::Ruleset> WithFlowtableAt(const std::shared_ptr<const firewall::Ruleset>& rules,
                                                         std::vector<firewall::Device> devices) {
  auto with = std::make_shared<firewall::Ruleset>(*rules);
  firewall::Table table;
  table.family = firewall::TableFamily::kInet;
  table.name = "fast";
  table.flowtables = {{"f", 0, false, std::move(devices)}};
  with->tables.push_back(std::move(table));
  return with;
}

class FlowtablesOnTheWayTest : public ForwardedCloseTest {
 protected:
  FlowtablesOnTheWayTest() {
    // Routed: the pod is behind a veth of its own.
    forwarded_.host_side = HostSide{veth_, std::nullopt};
    PutRoute(Key(std::nullopt, forwarded_.local.address, 0), veth_);
    PutRoute(Key(forwarded_.local.address, forwarded_.peer.address, 6), up_);
    PutRoute(Key(forwarded_.peer.address, forwarded_.local.address, 2), veth_);
  }
  std::size_t Met(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, store_);
    return FlowtablesOnTheWay(evaluator, forwarded_, nullptr).size();
  }

  const Interface veth_{"veth1", 6, 1, 0, "veth"};
};

TEST_F(FlowtablesOnTheWayTest, AreThoseOfADeviceThatItsPacketsComeInOrLeaveBy) {
  EXPECT_EQ(Met(DropsAt({})), 0U);
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {{"eth0", false}})), 1U);
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {{"eth9", false}, {"veth", true}})), 1U);
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {{"eth9", false}})), 0U);
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {})), 0U);
}

TEST_F(FlowtablesOnTheWayTest, AreThoseThatMayBeBelowABridgeToo) {
  forwarded_.host_side = HostSide{bridge_, veth_};
  PutRoute(Key(std::nullopt, forwarded_.local.address, 0), bridge_);
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {{"veth1", false}})), 1U);
  // Only bridged: without br_netfilter no rule hands it over.
  PutRoute(Key(std::nullopt, forwarded_.peer.address, 0), bridge_);
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {{"veth1", false}})), 0U);
}

TEST_F(FlowtablesOnTheWayTest, AreNoneOfTheOtherFamilyOrWhereNothingIsForwarded) {
  auto other = std::make_shared<firewall::Ruleset>(*WithFlowtableAt(DropsAt({}), {{"eth0", false}}));
  other->tables.back().family = firewall::TableFamily::kIpv6;
  EXPECT_EQ(Met(other), 0U);
  forwarded_.host_side = NoHostSide();
  EXPECT_EQ(Met(WithFlowtableAt(DropsAt({}), {{"eth0", false}})), 0U);
}

TEST_F(FlowtablesOnTheWayTest, ChangeNothingOfACloseWithoutItsEntry) {
  const auto fate = [&](const std::shared_ptr<const firewall::Ruleset>& rules) {
    return Evaluate(WithFlowtableAt(rules, {{"eth0", false}, {"veth1", false}})).fate;
  };
  EXPECT_EQ(fate(DropsAt({})), Fate::kClean);
  EXPECT_EQ(fate(DropsStateAt(Hook::kForward, kStateInvalid)), Fate::kFinDropped);
}

TEST_F(FlowtablesOnTheWayTest, MayCarryWhatHasItsEntryPastARule) {
  history_.entry_end = ExpiryReason::kStillThere;
  const auto fate = [&](const std::string& device) {
    CloseEvaluator evaluator(WithFlowtableAt(DropsFlagAt(Hook::kForward, kFlagFin), {{device, false}}),
                             {true, {true, true}}, store_);
    return EvaluateTrackedForwardedClose(evaluator, forwarded_, &history_).fate;
  };
  EXPECT_EQ(fate("eth9"), Fate::kFinDropped);
  EXPECT_EQ(fate("eth0"), Fate::kClean);
}

TEST_F(FlowtablesOnTheWayTest, LeaveOpenWhetherAFinWithItsEntryMetARule) {
  kernel::TcpSocket socket = StuckSocket();
  const auto cause = [&](std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, store_);
    return FindForwardedCause(socket, forwarded_, {&evaluator, &history_, nullptr}).cause;
  };
  const auto drops_tracked = DropsStateAt(Hook::kForward, kStateEstablished);
  socket.entry.tracking = kernel::Tracking::kTracked;
  EXPECT_EQ(cause(WithFlowtableAt(drops_tracked, {{"eth9", false}})), Cause::kForwardDrop);
  EXPECT_EQ(cause(WithFlowtableAt(drops_tracked, {{"eth0", false}})), std::nullopt);
  socket.entry.tracking = kernel::Tracking::kUntracked;
  EXPECT_EQ(cause(WithFlowtableAt(DropsStateAt(Hook::kForward, kStateInvalid), {{"eth0", false}})),
            Cause::kForwardDrop);
}

// A VRF's routes are in a table of its own, which is asked for by the VRF.
TEST_F(ForwardedCloseTest, BehindAVrfsPortItsTableIsAsked) {
  Interface port{"veth1", 6, 1, 0, "veth"};
  port.vrf = firewall::facts::Vrf{"blue", 9, 0};
  forwarded_.host_side = HostSide{port, std::nullopt};
  RouteKey back = Key(std::nullopt, forwarded_.local.address, 0);
  RouteKey to_peer = Key(std::nullopt, forwarded_.peer.address, 0);
  PutRoute(back, up_);
  back.bound_device = to_peer.bound_device = 9;
  PutRoute(back, port);
  PutRoute(to_peer, up_);
  firewall::facts::FactQuery facts(*store_);
  const auto connection = ConnectionThrough(forwarded_, true, facts);
  EXPECT_EQ(connection.ingress, port);
  EXPECT_EQ(connection.passage.symmetric, Tristate::kYes);
}

TEST(HostSideTest, IsTheBridgeOfAPortAndNothingForOtherMasters) {
  kernel::Link veth;
  veth.index = 6;
  veth.name = "veth1";
  veth.kind = "veth";
  const auto routed = HostSideOf({veth, std::nullopt});
  ASSERT_TRUE(routed.has_value());
  EXPECT_EQ(routed->device.name, "veth1");
  EXPECT_FALSE(routed->port.has_value());
  kernel::Link master;
  master.index = 5;
  master.name = "br0";
  master.kind = "bridge";
  const auto bridged = HostSideOf({veth, master});
  ASSERT_TRUE(bridged.has_value());
  EXPECT_EQ(bridged->device.name, "br0");
  EXPECT_EQ(bridged->port->name, "veth1");
  master.kind = "vrf";
  const auto in_vrf = HostSideOf({veth, master});
  ASSERT_TRUE(in_vrf.has_value());
  EXPECT_EQ(in_vrf->device.name, "veth1");
  EXPECT_EQ(in_vrf->device.vrf, (firewall::facts::Vrf{"br0", 5, 0}));
  EXPECT_FALSE(in_vrf->port.has_value());
  master.kind = "openvswitch";
  EXPECT_FALSE(HostSideOf({veth, master}).has_value());
}

}  // namespace
}  // namespace finwait::diagnosis
