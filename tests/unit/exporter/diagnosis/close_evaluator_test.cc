#include "exporter/diagnosis/close_evaluator.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;

class FateTest : public testing::Test {
 protected:
  FateTest() { past_.entry_state = kernel::ConntrackTcpState::kEstablished; }
  Fate Of(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator judge(std::move(rules), {true, {true, true}}, {});
    return judge.Evaluate(socket_, &past_).fate;
  }
  kernel::TcpSocket socket_ = ForgottenSocket(1);
  ConnectionHistory past_;
};

TEST_F(FateTest, IsWhatBecomesOfTheFinFirstAndOfItsAnswerThen) {
  EXPECT_EQ(Of(DropsAt({})), Fate::kClean);
  EXPECT_EQ(Of(DropsAt({Hook::kOutput})), Fate::kFinDropped);
  EXPECT_EQ(Of(DropsAt({Hook::kInput})), Fate::kAckDropped);
  EXPECT_EQ(Of(DropsAt({Hook::kInput, Hook::kOutput})), Fate::kFinDropped);
}

TEST_F(FateTest, ARememberedTranslationIsLostWithTheEntry) {
  past_.source_nat = true;
  EXPECT_EQ(Of(DropsAt({})), Fate::kNatLost);
}

TEST_F(FateTest, IsUnknownWhereTheRulesAre) { EXPECT_EQ(Of(UnreadableRules()), Fate::kUnknown); }

TEST_F(FateTest, OverLoopbackAnInputDropStopsTheFinItself) {
  socket_.local = *Endpoint::Parse("127.0.0.1:40001");
  socket_.peer = *Endpoint::Parse("127.0.0.1:80");
  EXPECT_EQ(Of(DropsAt({Hook::kInput})), Fate::kFinDropped);
}

TEST_F(FateTest, IsRememberedUntilWhatItDependsOnChanges) {
  CloseEvaluator judge(DropsAt({}), {true, {true, true}}, {});
  EXPECT_EQ(judge.FateOf(socket_, &past_), Fate::kClean);
  past_.destination_nat = true;
  EXPECT_EQ(judge.FateOf(socket_, &past_), Fate::kNatLost);
}

TEST_F(FateTest, AFinWithAnEntryIsJudgedAsEstablished) {
  CloseEvaluator drops(DropsAt({Hook::kOutput}), {true, {true, true}}, {});
  EXPECT_EQ(drops.TrackedFin(socket_).decision, firewall::eval::Disposition::kDrop) << "a policy drops it all the same";
  CloseEvaluator open(DropsAt({}), {true, {true, true}}, {});
  EXPECT_EQ(open.TrackedFin(socket_).decision, firewall::eval::Disposition::kAccept);
}

// The one chain that a look leaves out: a nat chain without a rule.
class OneNatChain : public firewall::RuleResolver {
 public:
  Result<std::shared_ptr<const firewall::Chain>> ReadChain(const firewall::Table& table,
                                                           const std::string& chain) override {
    ++reads;
    auto read = std::make_shared<firewall::Chain>(*table.chains.at(chain));
    read->contents = firewall::Contents::kComplete;
    newest = read;
    return std::shared_ptr<const firewall::Chain>(read);
  }
  Result<firewall::Table> ReadLegacyTable(const firewall::Table&) override { return Refused(); }
  Result<std::shared_ptr<const firewall::Set>> ReadSet(const firewall::Table&, const std::string&) override {
    return Refused();
  }
  Result<std::optional<firewall::SetElement>> FindElement(const firewall::Table&, const firewall::Set&,
                                                          const firewall::Value&) override {
    return Refused();
  }
  Result<bool> HasQuota(const std::string&) override { return Refused(); }

  int reads = 0;
  std::weak_ptr<const firewall::Chain> newest;

 private:
  static Failure Refused() { return Fail(FailureReason::kError, "not asked for here"); }
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
  const auto questions = std::make_shared<OneNatChain>();
  CloseEvaluator judge(WithUnreadNat(*DropsAt({Hook::kOutput})), {true, {true, true}}, {questions, {}, {}, {}});
  EXPECT_EQ(judge.Evaluate(socket_, nullptr).fate, Fate::kFinDropped);
  EXPECT_EQ(questions->reads, 0);
}

TEST_F(FateTest, RulesReadForAQuestionAreKeptWhileQuestionsComeAndFreedAfterwards) {
  const auto rules = WithUnreadNat(*DropsAt({}));
  const auto questions = std::make_shared<OneNatChain>();
  CloseEvaluator judge(rules, {true, {true, true}}, {questions, {}, {}, {}});
  SteadyClock::time_point now{std::chrono::hours(1)};
  const auto ask = [&] { return judge.Evaluate(socket_, nullptr).fate; };

  EXPECT_EQ(ask(), Fate::kClean);
  EXPECT_EQ(questions->reads, 1);
  EXPECT_FALSE(judge.ForgetUnusedRules(now));
  now += CloseEvaluator::kKeepUnused;
  EXPECT_EQ(ask(), Fate::kClean);
  EXPECT_FALSE(judge.ForgetUnusedRules(now)) << "it has just been asked for again";
  EXPECT_EQ(questions->reads, 1);
  EXPECT_FALSE(questions->newest.expired());

  now += CloseEvaluator::kKeepUnused;
  EXPECT_TRUE(judge.ForgetUnusedRules(now));
  EXPECT_TRUE(questions->newest.expired());
  EXPECT_FALSE(judge.ForgetUnusedRules(now)) << "there is nothing left";
  EXPECT_EQ(ask(), Fate::kClean);
  EXPECT_EQ(questions->reads, 2);
}

}  // namespace
}  // namespace finwait::diagnosis
