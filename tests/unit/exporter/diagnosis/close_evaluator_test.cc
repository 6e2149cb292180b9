#include "exporter/diagnosis/close_evaluator.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/evaluation_rounds.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;

class FateTest : public testing::Test {
 protected:
  FateTest() { history_.entry_state = kernel::ConntrackTcpState::kEstablished; }
  Fate Of(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, {});
    return evaluator.Evaluate(socket_, &history_).fate;
  }
  kernel::TcpSocket socket_ = ForgottenSocket(1);
  ConnectionHistory history_;
};

TEST_F(FateTest, IsWhatBecomesOfTheFinFirstAndOfItsAnswerThen) {
  EXPECT_EQ(Of(DropsAt({})), Fate::kClean);
  EXPECT_EQ(Of(DropsAt({Hook::kOutput})), Fate::kFinDropped);
  EXPECT_EQ(Of(DropsAt({Hook::kInput})), Fate::kAckDropped);
  EXPECT_EQ(Of(DropsAt({Hook::kInput, Hook::kOutput})), Fate::kFinDropped);
}

// With tcp_loose a bare ACK without an entry is NEW, and a FIN INVALID: the first rule tells the two ends' packets
// apart.
TEST_F(FateTest, DropsOfThePeersFinAndOfTheAckOfItArePeerFinDropped) {
  EXPECT_EQ(Of(DropsStateAt(Hook::kInput, kStateInvalid)), Fate::kPeerFinDropped);
  EXPECT_EQ(Of(DropsStateAt(Hook::kOutput, kStateNew)), Fate::kPeerFinDropped);
}

TEST_F(FateTest, IsUpToThePeerWhereItsBareAckAloneIsDropped) {
  EXPECT_EQ(Of(DropsStateAt(Hook::kInput, kStateNew)), Fate::kPeerDecides);
}

TEST_F(FateTest, APeerThatHasClosedSendsNoOtherFin) {
  socket_.state = kernel::TcpState::kCloseWait;
  EXPECT_EQ(Of(DropsStateAt(Hook::kInput, kStateNew)), Fate::kAckDropped);
  EXPECT_EQ(Of(DropsAt({})), Fate::kClean);
}

TEST_F(FateTest, APeerThatHasForgottenItAnswersWithAResetWhichIsInvalid) {
  socket_.state = kernel::TcpState::kCloseWait;
  EXPECT_EQ(Of(DropsStateAt(Hook::kInput, kStateInvalid)), Fate::kPeerDecides);
}

// Asks whether what was loaded, of `length` bytes, has one of `bits`.
std::pair<firewall::Bitwise, firewall::Compare> HasAnyOf(unsigned length, unsigned bits) {
  using namespace firewall::eval;
  firewall::Bitwise masked;
  masked.length = length;
  masked.mask = length == 1 ? ValueOf({bits}) : ValueOf({bits, 0, 0, 0});
  masked.xor_value = length == 1 ? ValueOf({0}) : ValueOf({0, 0, 0, 0});
  return {masked, firewall::Compare{NFT_CMP_NEQ, firewall::Register{0}, masked.xor_value}};
}

// Rejects what comes in as NEW with a reset, and drops resets of `state` that go out.
std::shared_ptr<const firewall::Ruleset> ResetsThePeer(unsigned state) {
  using namespace firewall;
  using namespace firewall::eval;
  const auto [of_new, is_new] = HasAnyOf(4, kStateNew);
  const auto [of_state, is_state] = HasAnyOf(4, state);
  const auto [of_flag, is_reset] = HasAnyOf(1, kFlagRst);
  HandMadeTable table;
  table.Base("in", Hook::kInput,
             {{CtLoad{NFT_CT_STATE, {}, Register{0}}, of_new, is_new, Reject{NFT_REJECT_TCP_RST, 0}}});
  table.Base("out", Hook::kOutput,
             {{PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}}, of_flag, is_reset,
               CtLoad{NFT_CT_STATE, {}, Register{0}}, of_state, is_state, Drops()}});
  return std::make_shared<const Ruleset>(table.AsRuleset());
}

TEST_F(FateTest, TheResetOfARejectBelongsToTheEntryOfWhatItRejects) {
  EXPECT_EQ(Of(ResetsThePeer(kStateRelated)), Fate::kPeerDecides) << "the peer never hears of it";
  EXPECT_EQ(Of(ResetsThePeer(kStateInvalid)), Fate::kClean) << "the peer is reset";
  EXPECT_EQ(Of(ResetsThePeer(kStateEstablished)), Fate::kClean);
}

// The peer sends no FIN after that, and each further try of this end's is answered with a RST.
TEST_F(FateTest, APeerThatIsResetButCannotSaySoIsAckDropped) {
  using namespace firewall;
  using namespace firewall::eval;
  HandMadeTable table;
  const auto [of_flag, is_reset] = HasAnyOf(1, kFlagRst);
  const auto [of_new, is_new] = HasAnyOf(4, kStateNew);
  table.Base("in", Hook::kInput,
             {{PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}}, of_flag, is_reset, Drops()},
              {CtLoad{NFT_CT_STATE, {}, Register{0}}, of_new, is_new, Reject{NFT_REJECT_TCP_RST, 0}}});
  CloseEvaluator evaluator(std::make_shared<const Ruleset>(table.AsRuleset()), {true, {true, true}}, {});
  const CloseOutcome outcome = evaluator.Evaluate(socket_, &history_);
  EXPECT_EQ(outcome.fate, Fate::kAckDropped);
  const auto loss = DecisiveDropOf(outcome);
  ASSERT_TRUE(loss && loss->result->location);
  EXPECT_EQ(loss->result->location->handle, 1U) << "the rule that goes on dropping";
}

TEST_F(FateTest, IsEvaluatedAgainWhenThePeerCloses) {
  CloseEvaluator evaluator(DropsStateAt(Hook::kInput, kStateInvalid), {true, {true, true}}, {});
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kPeerFinDropped);
  socket_.state = kernel::TcpState::kCloseWait;
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kPeerDecides);
}

// With tcp_loose data makes a new entry, and the FIN behind it belongs to that.
TEST_F(FateTest, QueuedDataBringsTheEntryBackForTheFin) {
  CloseEvaluator evaluator(DropsStateAt(Hook::kOutput, kStateInvalid), {true, {true, true}}, {});
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kFinDropped);
  socket_.has_queued = true;
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kClean) << "what was remembered of it has changed";
  history_.source_nat = true;
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kNatLost) << "the new entry translates nothing";
}

// An update of the peer's window makes the entry as well as data does, but is sent by a closed window alone.
TEST_F(FateTest, WhatIsQueuedAndDroppedWaitsForTheUpdateOfAClosedWindow) {
  socket_.has_queued = true;
  EXPECT_EQ(Of(DropsStateAt(Hook::kOutput, kStateInvalid | kStateNew)), Fate::kUnknown);
  const auto fate = [&](bool closed) {
    firewall::facts::Socket known;
    known.window_closed = closed;
    const auto facts = std::make_shared<firewall::facts::FactStore>();
    facts->Put(firewall::facts::SocketKey{socket_.local, socket_.peer}, firewall::facts::Fact::Present(known));
    CloseEvaluator evaluator(DropsStateAt(Hook::kOutput, kStateInvalid | kStateNew), {true, {true, true}}, facts);
    return evaluator.Evaluate(socket_, &history_).fate;
  };
  EXPECT_EQ(fate(true), Fate::kPeerDecides);
  EXPECT_EQ(fate(false), Fate::kFinDropped);
}

TEST_F(FateTest, ARememberedTranslationIsLostWithTheEntry) {
  history_.source_nat = true;
  EXPECT_EQ(Of(DropsAt({})), Fate::kNatLost);
}

TEST_F(FateTest, IsUnknownWhereTheRulesAre) { EXPECT_EQ(Of(UnreadableRules()), Fate::kUnknown); }

TEST_F(FateTest, OverLoopbackAnInputDropStopsTheFinItself) {
  socket_.local = *Endpoint::Parse("127.0.0.1:40001");
  socket_.peer = *Endpoint::Parse("127.0.0.1:80");
  EXPECT_EQ(Of(DropsAt({Hook::kInput})), Fate::kFinDropped);
}

TEST_F(FateTest, IsRememberedUntilWhatItDependsOnChanges) {
  CloseEvaluator evaluator(DropsAt({}), {true, {true, true}}, {});
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kClean);
  history_.destination_nat = true;
  EXPECT_EQ(evaluator.FateOf(socket_, &history_), Fate::kNatLost);
}

TEST_F(FateTest, AFinWithAnEntryIsEvaluatedAsEstablished) {
  CloseEvaluator drops(DropsFlagAt(Hook::kOutput, kFlagFin), {true, {true, true}}, {});
  EXPECT_EQ(drops.TrackedFin(socket_).disposition, firewall::eval::Disposition::kDrop)
      << "a rule drops it all the same";
  CloseEvaluator open(DropsAt({}), {true, {true, true}}, {});
  EXPECT_EQ(open.TrackedFin(socket_).disposition, firewall::eval::Disposition::kAccept);
}

TEST_F(FateTest, WithItsEntryItIsClean) {
  CloseEvaluator invalid(DropsStateAt(Hook::kOutput, kStateInvalid), {true, {true, true}}, {});
  EXPECT_EQ(invalid.EvaluateTracked(socket_).fate, Fate::kClean);
  EXPECT_EQ(invalid.RememberedTracked(socket_), Fate::kClean) << "known for all at once";
}

TEST_F(FateTest, RulesThatDropFinsWhateverTheirStateLoseThoseWithAnEntry) {
  CloseEvaluator out(DropsFlagAt(Hook::kOutput, kFlagFin), {true, {true, true}}, {});
  EXPECT_EQ(out.EvaluateTracked(socket_).fate, Fate::kFinDropped);
  EXPECT_EQ(out.TrackedFateOf(socket_), Fate::kFinDropped);
  EXPECT_EQ(out.RememberedTracked(socket_), Fate::kFinDropped);
  CloseEvaluator in(DropsFlagAt(Hook::kInput, kFlagFin), {true, {true, true}}, {});
  EXPECT_EQ(in.EvaluateTracked(socket_).fate, Fate::kPeerFinDropped);
  socket_.state = kernel::TcpState::kCloseWait;
  EXPECT_EQ(in.EvaluateTracked(socket_).fate, Fate::kClean) << "its peer's FIN has come";
}

// What an entry holds, told to whoever asks.
class TellsEntries : public firewall::facts::Resolver {
 public:
  explicit TellsEntries(std::optional<std::uint32_t> mark) : mark_(mark) {}
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    using firewall::facts::ConnectionEntry;
    using firewall::facts::Fact;
    for (const firewall::facts::Need& need : needs) {
      if (KindOf(need) == firewall::facts::FactKind::kEntry && mark_) {
        ConnectionEntry entry;
        entry.mark = *mark_;
        store.Put(need, Fact::Present(std::make_shared<const ConnectionEntry>(entry)));
        ++asked;
      } else {
        store.Put(need, Fact::Absent());
      }
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}
  int asked = 0;

 private:
  std::optional<std::uint32_t> mark_;
};

TEST_F(FateTest, RulesThatAskForTheMarkOfAnEntryAreToldIt) {
  using namespace firewall;
  using namespace firewall::eval;
  HandMadeTable table;
  table.Base("out", Hook::kOutput,
             {{CtLoad{NFT_CT_MARK, {}, Register{0}}, Compare{NFT_CMP_EQ, Register{0}, ValueOf({4, 0, 0, 0})},
               Says(Verdict::Kind::kDrop)}});
  const auto rules = std::make_shared<const Ruleset>(table.AsRuleset());
  const auto outcome = [&](TellsEntries& entries) {
    CloseEvaluator evaluator(rules, {true, {true, true}}, nullptr);
    CloseOutcome result;
    EvaluateInRounds(evaluator, &entries, [&] { result = evaluator.EvaluateTracked(socket_); });
    EXPECT_FALSE(result.incomplete);
    return result.fate;
  };
  TellsEntries marked(4);
  EXPECT_EQ(outcome(marked), Fate::kFinDropped);
  EXPECT_EQ(marked.asked, 1);
  TellsEntries other(5);
  EXPECT_EQ(outcome(other), Fate::kClean);
  TellsEntries gone(std::nullopt);
  EXPECT_EQ(outcome(gone), Fate::kClean) << "what cannot be known is taken for clean";
}

// The ACK of a FIN has an entry, too.
TEST_F(FateTest, RulesThatDropAcksWithAnEntryLoseTheAnswerToAFin) {
  using namespace firewall;
  using namespace firewall::eval;
  const auto drops_acks = [](Hook hook) {
    HandMadeTable table;
    table.Base("c", hook,
               {{PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}},
                 Compare{NFT_CMP_EQ, Register{0}, ValueOf({0x10})}, Says(Verdict::Kind::kDrop)}});
    return std::make_shared<const Ruleset>(table.AsRuleset());
  };
  CloseEvaluator in(drops_acks(Hook::kInput), {true, {true, true}}, {});
  EXPECT_EQ(in.EvaluateTracked(socket_).fate, Fate::kPeerDecides);
  EXPECT_EQ(in.TrackedAck(socket_).disposition, Disposition::kDrop);
  CloseEvaluator out(drops_acks(Hook::kOutput), {true, {true, true}}, {});
  EXPECT_EQ(out.EvaluateTracked(socket_).fate, Fate::kPeerFinDropped);
  socket_.state = kernel::TcpState::kCloseWait;
  EXPECT_EQ(in.EvaluateTracked(socket_).fate, Fate::kAckDropped) << "and its peer sends no second FIN";
  EXPECT_EQ(out.EvaluateTracked(socket_).fate, Fate::kClean);
}

TEST_F(FateTest, WhatSendsDataFirstHasItsEntryBackWhenTheFinFollows) {
  firewall::eval::Connection connection = ConnectionByEnds(ListedSocket(socket_));
  connection.local_socket.mark = 0;
  CloseEvaluator evaluator(DropsStateAt(Hook::kOutput, kStateInvalid), {true, {true, true}}, {});
  EXPECT_EQ(evaluator.Evaluate(connection, &history_).fate, Fate::kFinDropped);
  EXPECT_EQ(evaluator.Evaluate(connection, &history_, {false, true}).fate, Fate::kClean);
  CloseEvaluator strict(DropsStateAt(Hook::kOutput, kStateInvalid), {false, {true, true}}, {});
  EXPECT_EQ(strict.Evaluate(connection, &history_, {false, true}).fate, Fate::kFinDropped)
      << "with tcp_loose = 0 data makes no entry";
}

TEST_F(FateTest, AFullTableLosesWhatHasNoEntry) {
  EvaluationSettings full{true, {true, true}};
  full.table_full = true;
  CloseEvaluator evaluator(DropsAt({}), full, {});
  const CloseOutcome outcome = evaluator.Evaluate(socket_, &history_);
  EXPECT_EQ(outcome.fate, Fate::kFinDropped);
  EXPECT_NE(outcome.fin.reason.find("full"), std::string::npos);
  EXPECT_FALSE(outcome.fin.location.has_value()) << "no rule is to blame";
  full.table_full.reset();
  EXPECT_EQ(CloseEvaluator(DropsAt({}), full, {}).Evaluate(socket_, &history_).fate, Fate::kUnknown);
  EXPECT_EQ(CloseEvaluator(DropsAt({}), full, {}).EvaluateTracked(socket_).fate, Fate::kClean);
}

// As tests/e2e/vrf_test.cc sees the kernel do it: what holds for all others does not hold in a VRF, which has a turn of
// its own, with conntrack looking away.
TEST_F(FateTest, InAVrfTheFinIsUntrackedOnceBeforeItIsInvalid) {
  using firewall::facts::Fact;
  auto store = std::make_shared<firewall::facts::FactStore>();
  firewall::facts::NamespaceFacts settings;
  settings.routes_by_mark = settings.routes_by_ports = settings.routes_by_user = false;
  settings.routes_by_type_of_service = false;
  store->Put(firewall::facts::NamespaceKey{IpFamily::kIpv4}, Fact::Present(settings));
  const auto fate = [&](std::uint32_t device, unsigned state) {
    socket_.device = device;
    firewall::facts::Socket told{0U, device, 0, false, std::uint8_t{0}, true};
    told.transparent = false;
    store->Put(firewall::facts::SocketKey{socket_.local, socket_.peer}, Fact::Present(told));
    firewall::facts::RouteKey key;
    key.source = socket_.local.address;
    key.destination = socket_.peer.address;
    key.bound_device = device;
    firewall::facts::Route route;
    route.egress = {"eth0", 2, 1, 0, ""};
    if (device != 0) {
      route.egress.vrf = firewall::facts::Vrf{"blue", device, 0};
    }
    store->Put(key, Fact::Present(std::make_shared<const firewall::facts::Route>(route)));
    CloseEvaluator evaluator(DropsStateAt(Hook::kOutput, state), {true, {true, true}}, store);
    return evaluator.Evaluate(socket_, &history_).fate;
  };
  EXPECT_EQ(fate(0, kStateUntracked), Fate::kClean);
  EXPECT_EQ(fate(9, kStateUntracked), Fate::kFinDropped);
  EXPECT_EQ(fate(0, kStateInvalid), Fate::kFinDropped);
  EXPECT_EQ(fate(9, kStateInvalid), Fate::kFinDropped) << "on the port";
}

// As tests/e2e/ipvs_test.cc sees the kernel do it: rules do not say what becomes of it.
TEST_F(FateTest, WhatIpvsCarriesIsUnknownWithItsName) {
  using firewall::facts::Fact;
  using firewall::facts::NamespaceFacts;
  using firewall::facts::NamespaceKey;
  const auto outcome = [&](const firewall::facts::VirtualServices& services) {
    auto store = std::make_shared<firewall::facts::FactStore>();
    NamespaceFacts settings;
    settings.virtual_services = services;
    store->Put(NamespaceKey{IpFamily::kIpv4}, Fact::Present(settings));
    CloseEvaluator evaluator(DropsAt({Hook::kOutput}), {true, {true, true}}, store);
    CloseEvaluator tracked(DropsStateAt(Hook::kOutput, kStateEstablished), {true, {true, true}}, store);
    EXPECT_EQ(tracked.EvaluateTracked(ConnectionByEnds(ListedSocket(socket_)), false).fate,
              evaluator.Evaluate(socket_, &history_).fate == Fate::kUnknown ? Fate::kClean : Fate::kFinDropped)
        << "it is no matter while the entry is there";
    return evaluator.Evaluate(socket_, &history_);
  };
  EXPECT_EQ(outcome({}).fate, Fate::kFinDropped);
  const CloseOutcome as_client = outcome({{socket_.peer}, {}, false});
  EXPECT_EQ(as_client.fate, Fate::kUnknown);
  EXPECT_NE(as_client.reason.find("IPVS (ip_vs), which carries what goes to and comes from " + socket_.peer.Text()),
            std::string::npos)
      << as_client.reason;
  EXPECT_EQ(outcome({{{socket_.local.address, 0}}, {}, false}).fate, Fate::kUnknown) << "a service of all ports";
  EXPECT_EQ(outcome({{}, {socket_.local}, false}).fate, Fate::kUnknown) << "a server of this host's own";
  EXPECT_EQ(outcome({{}, {socket_.peer}, false}).fate, Fate::kFinDropped) << "asked past the service";
  EXPECT_EQ(outcome({{{socket_.peer.address, 1}}, {}, false}).fate, Fate::kFinDropped);
  EXPECT_EQ(outcome({{}, {}, true}).fate, Fate::kFinDropped) << "to another host, no mark is asked for";
}

// Accepts what comes in on a device, by its index, and drops the rest; before that, what is established, if asked to.
std::shared_ptr<const firewall::Ruleset> AcceptsFromDevice(std::uint32_t index, bool established) {
  using namespace firewall;
  using namespace firewall::eval;
  Bitwise masked;
  masked.length = 4;
  masked.mask = ValueOf({kStateEstablished, 0, 0, 0});
  masked.xor_value = ValueOf({0, 0, 0, 0});
  const VerdictStatement accepts = Says(Verdict::Kind::kAccept);
  std::vector<std::vector<Expression>> rules;
  if (established) {
    rules.push_back({CtLoad{NFT_CT_STATE, {}, Register{0}}, masked,
                     Compare{NFT_CMP_NEQ, Register{0}, ValueOf({0, 0, 0, 0})}, accepts});
  }
  rules.push_back(
      {MetaLoad{NFT_META_IIF, Register{0}}, Compare{NFT_CMP_EQ, Register{0}, ValueOf({index, 0, 0, 0})}, accepts});
  HandMadeTable table;
  table.Base("in", Hook::kInput, std::move(rules), true);
  return std::make_shared<const Ruleset>(table.AsRuleset());
}

TEST_F(FateTest, IsUnknownWhereAnswersMayComeInOnAnotherDevice) {
  firewall::eval::Connection connection = ConnectionByEnds(ListedSocket(socket_));
  connection.egress.name = "eth0";
  connection.egress.index = 2;
  EvaluationSettings settings{true, {true, true}};
  const auto fate = [&](bool established) {
    return CloseEvaluator(AcceptsFromDevice(2, established), settings, {}).Evaluate(connection, &history_).fate;
  };
  settings.ingress_devices[0] = {{"eth0", 2}};
  EXPECT_EQ(fate(true), Fate::kClean) << "no other device leads anywhere";
  settings.ingress_devices[0].push_back({"eth1", 3});
  EXPECT_EQ(fate(true), Fate::kUnknown);
  EXPECT_EQ(fate(false), Fate::kClean) << "what is established does not come in on eth1 either";
  CloseEvaluator indifferent(DropsStateAt(Hook::kInput, kStateInvalid), settings, {});
  EXPECT_EQ(indifferent.Evaluate(connection, &history_).fate, Fate::kPeerFinDropped) << "rules that ask for no device";
  connection.routing.emplace();
  connection.routing->bound_device = 2;
  EXPECT_EQ(fate(true), Fate::kClean) << "a socket that is bound to a device takes packets from no other";
}

// Answers for a host whose only nat chain has no rule, and whose sockets have no mark.
class PlainHost : public firewall::facts::Resolver {
 public:
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    ++calls;
    for (const firewall::facts::Need& need : needs) {
      store.Put(need, Answer(need));
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}

  int calls = 0;
  int chains = 0;

 private:
  firewall::facts::Fact Answer(const firewall::facts::Need& need) {
    using firewall::facts::Fact;
    if (const auto* key = std::get_if<firewall::facts::ChainKey>(&need)) {
      ++chains;
      auto chain = std::make_shared<firewall::Chain>();
      chain->name = key->chain;
      return Fact::Present(std::shared_ptr<const firewall::Chain>(std::move(chain)));
    }
    if (std::holds_alternative<firewall::facts::SocketKey>(need)) {
      return Fact::Present(firewall::facts::Socket{0U, 0, 0, false, std::uint8_t{0}, {}});
    }
    if (std::holds_alternative<firewall::facts::NamespaceKey>(need)) {
      firewall::facts::NamespaceFacts settings;
      settings.early_demultiplexing = true;
      settings.routes_by_mark = settings.routes_by_user = settings.routes_by_type_of_service = false;
      settings.routes_everything = true;
      return Fact::Present(settings);
    }
    if (const auto* key = std::get_if<firewall::facts::RouteKey>(&need)) {
      auto route = std::make_shared<firewall::facts::Route>();
      route->local = key->destination == ForgottenSocket(1).local.address;
      return Fact::Present(std::shared_ptr<const firewall::facts::Route>(std::move(route)));
    }
    return Fact::Absent();
  }
};

std::shared_ptr<const firewall::Ruleset> WithUnreadNat(firewall::Ruleset rules) {
  auto nat = std::make_shared<firewall::Chain>();
  nat->name = "POSTROUTING";
  nat->base.emplace();
  nat->base->hook = Hook::kPostrouting;
  nat->base->type = firewall::ChainType::kNat;
  nat->contents = firewall::Contents::kNotRead;
  rules.tables.front().chains[nat->name] = nat;
  return std::make_shared<const firewall::Ruleset>(std::move(rules));
}

TEST_F(FateTest, NatIsNotAskedForAConnectionWhoseFinIsLost) {
  PlainHost host;
  CloseEvaluator evaluator(WithUnreadNat(*DropsAt({Hook::kOutput})), {true, {true, true}}, nullptr);
  Fate fate = Fate::kUnknown;
  EvaluateInRounds(evaluator, &host, [&] { fate = evaluator.Evaluate(socket_, nullptr).fate; });
  EXPECT_EQ(fate, Fate::kFinDropped);
  EXPECT_EQ(host.chains, 0);
}

// Refuses what this host sends to the peer with a mark.
class RefusingHost : public PlainHost {
 public:
  explicit RefusingHost(std::uint32_t mark) : mark_(mark) {}
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    PlainHost::Resolve(needs, store);
    for (const firewall::facts::Need& need : needs) {
      const auto* key = std::get_if<firewall::facts::RouteKey>(&need);
      if (key != nullptr && key->destination == ForgottenSocket(1).peer.address && key->mark == mark_) {
        store.Put(need, firewall::facts::Fact::Absent());
      } else if (std::holds_alternative<firewall::facts::NamespaceKey>(need)) {
        firewall::facts::NamespaceFacts settings;
        settings.routes_by_mark = mark_ != 0;
        settings.routes_by_user = settings.routes_by_type_of_service = settings.routes_everything = false;
        store.Put(need, firewall::facts::Fact::Present(settings));
      }
    }
  }

 private:
  std::uint32_t mark_;
};

TEST_F(FateTest, WhatRoutingRefusesIsToldOfAConnectionAndIsNoAlarm) {
  RefusingHost host(0);
  CloseEvaluator evaluator(DropsStateAt(Hook::kOutput, kStateNew), {true, {true, true}}, nullptr);
  CloseOutcome outcome;
  const auto connection = [&] { return ConnectionOf(ListedSocket(socket_), evaluator.Packets().Facts()); };
  EvaluateInRounds(evaluator, &host, [&] { outcome = evaluator.Evaluate(connection(), &history_); });
  EXPECT_EQ(outcome.fate, Fate::kFinDropped);
  EXPECT_EQ(outcome.fin.reason, "this host has no route for it");
  EXPECT_FALSE(outcome.fin.location.has_value());
  EvaluateInRounds(evaluator, &host, [&] { outcome = evaluator.EvaluateTracked(connection(), false); });
  EXPECT_EQ(outcome.fate, Fate::kFinDropped);
  EvaluateInRounds(evaluator, &host, [&] { outcome = evaluator.Evaluate(socket_, &history_); });
  EXPECT_EQ(outcome.fate, Fate::kPeerFinDropped) << "what rules do";
  EvaluateInRounds(evaluator, &host, [&] { outcome = evaluator.EvaluateTracked(socket_); });
  EXPECT_EQ(outcome.fate, Fate::kClean);
}

TEST_F(FateTest, WhatRulesMakeOfAPacketMayHaveNoRoute) {
  using namespace firewall;
  using namespace firewall::eval;
  const auto marked = [&](RefusingHost& host, std::uint8_t mark) {
    HandMadeTable table;
    table.Routing("mangle", Hook::kOutput,
                  {{Immediate{Register{0}, ValueOf({mark, 0, 0, 0})}, MetaSet{NFT_META_MARK, Register{0}}}});
    CloseEvaluator evaluator(std::make_shared<const Ruleset>(table.AsRuleset()), {true, {true, true}}, nullptr);
    CloseOutcome outcome;
    EvaluateInRounds(evaluator, &host, [&] { outcome = evaluator.Evaluate(socket_, &history_); });
    return outcome;
  };
  RefusingHost everything(0);
  EXPECT_EQ(marked(everything, 7).fate, Fate::kClean) << "without the rule, too: no alarm of rules";
  RefusingHost host(7);
  const CloseOutcome lost = marked(host, 7);
  EXPECT_EQ(lost.fate, Fate::kFinDropped);
  EXPECT_EQ(marked(host, 8).fate, Fate::kClean);
}

TEST_F(FateTest, WhatIsMissingIsUnknownAndNamedUntilItIsResolved) {
  PlainHost host;
  CloseEvaluator evaluator(WithUnreadNat(*DropsAt({})), {true, {true, true}}, nullptr);
  const CloseOutcome before = evaluator.Evaluate(socket_, nullptr);
  EXPECT_EQ(before.fate, Fate::kUnknown);
  EXPECT_TRUE(before.incomplete);
  EXPECT_NE(before.reason.find("POSTROUTING"), std::string::npos) << before.reason;
  CloseOutcome outcome;
  EvaluateInRounds(evaluator, &host, [&] { outcome = evaluator.Evaluate(socket_, nullptr); });
  EXPECT_EQ(outcome.fate, Fate::kClean) << outcome.reason;
  EXPECT_FALSE(outcome.incomplete);
  EXPECT_EQ(host.chains, 1);
}

TEST_F(FateTest, ManySocketsAreResolvedTogether) {
  PlainHost host;
  CloseEvaluator evaluator(WithUnreadNat(*DropsAt({})), {true, {true, true}}, nullptr);
  EvaluateInRounds(evaluator, &host, [&] {
    for (std::uint64_t cookie = 1; cookie <= 500; ++cookie) {
      evaluator.FateOf(ForgottenSocket(cookie), nullptr);
    }
  });
  EXPECT_LE(host.calls, 5);
  EXPECT_EQ(host.chains, 1);
  for (std::uint64_t cookie = 1; cookie <= 500; ++cookie) {
    EXPECT_EQ(evaluator.Remembered(ForgottenSocket(cookie), nullptr), Fate::kClean);
  }
}

TEST_F(FateTest, AnOutcomeThatMissedFactsIsNotRemembered) {
  CloseEvaluator evaluator(WithUnreadNat(*DropsAt({})), {true, {true, true}}, nullptr);
  EXPECT_EQ(evaluator.FateOf(socket_, nullptr), Fate::kUnknown);
  EXPECT_FALSE(evaluator.Remembered(socket_, nullptr).has_value());
  EXPECT_EQ(evaluator.RememberedProvisionally(socket_, nullptr), Fate::kUnknown);
}

TEST_F(FateTest, NoOutcomeOutlivesAFactThatItHungOn) {
  PlainHost host;
  const auto facts = std::make_shared<firewall::facts::FactStore>();
  CloseEvaluator evaluator(WithUnreadNat(*DropsAt({})), {true, {true, true}}, facts);
  EvaluateInRounds(evaluator, &host, [&] { evaluator.FateOf(socket_, nullptr); });
  EXPECT_EQ(evaluator.Remembered(socket_, nullptr), Fate::kClean);
  facts->EvictRules();
  EXPECT_EQ(evaluator.Remembered(socket_, nullptr), Fate::kClean) << "what was freed is as true as before";
  facts->Invalidate(firewall::facts::Only(firewall::facts::FactKind::kChain));
  EXPECT_FALSE(evaluator.Remembered(socket_, nullptr).has_value());
}

// Takes the peer's address for one of this host's.
class OwnPeer : public PlainHost {
 public:
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    PlainHost::Resolve(needs, store);
    for (const firewall::facts::Need& need : needs) {
      const auto* key = std::get_if<firewall::facts::RouteKey>(&need);
      if (key != nullptr && key->destination == ForgottenSocket(1).peer.address) {
        ++routes;
        auto route = std::make_shared<firewall::facts::Route>();
        route->local = local;
        store.Put(need,
                  firewall::facts::Fact::Present(std::shared_ptr<const firewall::facts::Route>(std::move(route))));
      }
    }
  }
  bool local = true;
  int routes = 0;
};

TEST_F(FateTest, BetweenTwoAddressesOfThisHostPacketsComeInAgain) {
  const auto fate = [&](OwnPeer& host, std::initializer_list<Hook> hooks) {
    CloseEvaluator evaluator(DropsAt(hooks), {true, {true, true}}, nullptr);
    Fate result = Fate::kUnknown;
    EvaluateInRounds(evaluator, &host, [&] { result = evaluator.FateOf(socket_, &history_); });
    EXPECT_EQ(evaluator.Remembered(socket_, &history_), result);
    return result;
  };
  OwnPeer own;
  EXPECT_EQ(fate(own, {Hook::kInput}), Fate::kFinDropped);
  OwnPeer other;
  other.local = false;
  EXPECT_EQ(fate(other, {Hook::kInput}), Fate::kAckDropped);
  OwnPeer unasked;
  EXPECT_EQ(fate(unasked, {}), Fate::kClean);
  EXPECT_EQ(unasked.routes, 0) << "rules that treat both alike";
}

TEST_F(FateTest, BetweenTwoAddressesOfThisHostATrackedFinComesInAgain) {
  OwnPeer own;
  CloseEvaluator evaluator(DropsFlagAt(Hook::kInput, kFlagFin), {true, {true, true}}, nullptr);
  CloseOutcome outcome;
  EvaluateInRounds(evaluator, &own, [&] { outcome = evaluator.EvaluateTracked(socket_); });
  EXPECT_EQ(outcome.fate, Fate::kFinDropped);
  socket_.state = kernel::TcpState::kCloseWait;
  EvaluateInRounds(evaluator, &own, [&] { outcome = evaluator.EvaluateTracked(socket_); });
  EXPECT_EQ(outcome.fate, Fate::kFinDropped);
}

TEST_F(FateTest, ResultsNameTheirRuleAfterTheFactsAreGone) {
  CloseEvaluator evaluator(DropsAt({Hook::kOutput}), {true, {true, true}}, nullptr);
  const CloseOutcome outcome = evaluator.Evaluate(socket_, &history_);
  ASSERT_TRUE(outcome.fin.location.has_value());
  EXPECT_EQ(outcome.fin.location->chain, "OUTPUT");
  EXPECT_TRUE(outcome.fin.location->IsPolicy());
}

}  // namespace
}  // namespace finwait::diagnosis
