#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "collectors/firewall/read/nft_reader.h"
#include "tests/unit/collectors/firewall/read/nft_messages.h"

// What the reader makes of refusals, of answers that no kernel should give, and of a ruleset that changes underneath.
namespace finwait::firewall::read {
namespace {

using kernel::netlink::Acknowledgement;
using kernel::netlink::Done;
using kernel::netlink::ErrorMessage;
using kernel::netlink::FakeKernel;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr TableFamily kFamily = TableFamily::kInet;

class NftReaderFaultTest : public testing::Test {
 protected:
  NftReader& Reader(ReaderLimits limits = {}) {
    return reader_.emplace(channel_, Deadline::After(std::chrono::seconds(5)), limits);
  }
  // The numbers of the messages that were asked with (NFT_MSG_*).
  std::vector<unsigned> Asked() const {
    std::vector<unsigned> asked;
    for (std::size_t i = 0; i < kernel_->Sent().size(); ++i) {
      asked.push_back(kernel_->SentHeader(i).nlmsg_type & 0xffU);
    }
    return asked;
  }
  template <typename T>
  static void ExpectFails(const Result<T>& result, FailureReason reason, const std::string& message) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, reason);
    EXPECT_EQ(result.error().message, message);
  }
  template <typename T>
  static void ExpectMalformed(const Result<T>& result, const std::string& operation) {
    ExpectFails(result, FailureReason::kError, operation + ": the kernel's answer is malformed or of an unknown shape");
  }
  void AnswersGeneration(std::uint32_t id) { kernel_->Answers({GenerationMessage(id), Acknowledgement()}); }
  // One table "t" whose base chain "in" has these rules; then the generation.
  void AnswersOneChain(std::vector<FakeMessage> rules, std::uint32_t generation) {
    kernel_->Answers({TableMessage("t"), Done()});
    kernel_->Answers({BaseChainMessage("t", "in"), Done()});
    rules.push_back(Done());
    kernel_->Answers(std::move(rules));
    AnswersGeneration(generation);
  }

  std::shared_ptr<FakeKernel> kernel_ = FakeKernel::Make();
  kernel::netlink::Channel channel_ = *kernel_->Open(NETLINK_NETFILTER);
  std::optional<NftReader> reader_;
};

TEST_F(NftReaderFaultTest, WithoutTheCapabilityTheFirstQuestionSaysSo) {
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFails(Reader().ReadAll(), FailureReason::kPermission, "read nftables' generation: Operation not permitted");
  EXPECT_THAT(Asked(), ElementsAre(NFT_MSG_GETGEN));
}

TEST_F(NftReaderFaultTest, AGenerationWithoutItsNumberIsMalformed) {
  kernel_->Answers({NftMessage(NFT_MSG_NEWGEN, {}), Acknowledgement()});
  ExpectMalformed(Reader().ReadAll(), "read nftables' generation");
}

TEST_F(NftReaderFaultTest, AnErrorAtAnyStepEndsTheReading) {
  const auto refused = [&](const char* operation) {
    kernel_->Answers({ErrorMessage(-ENOMEM)});
    ExpectFails(Reader().ReadAll(), FailureReason::kError, std::string(operation) + ": Cannot allocate memory");
    EXPECT_EQ(kernel_->AnswersLeft(), 0U);
  };
  AnswersGeneration(1);
  refused("read nftables' tables");
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()});
  refused("read nftables' chains");
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
  refused("read nftables' rules");
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()}).Answers({Done()});
  refused("read nftables' generation");
}

TEST_F(NftReaderFaultTest, ATableWithoutANameAndAChainOfAnUnknownKindAreMalformed) {
  AnswersGeneration(1);
  kernel_->Answers({NftMessage(NFT_MSG_NEWTABLE, {Number32(NFTA_TABLE_FLAGS, 0)}), Done()});
  ExpectMalformed(Reader().ReadAll(), "read nftables' tables");

  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()});
  kernel_->Answers({BaseChainMessage("t", "in", {Text(NFTA_CHAIN_TYPE, "teleport")}), Done()});
  channel_ = *kernel_->Open(NETLINK_NETFILTER);
  ExpectMalformed(Reader().ReadAll(), "read nftables' chains");
}

TEST_F(NftReaderFaultTest, ARulesetThatChangesEveryTimeIsReadThreeTimesAndTorn) {
  for (std::uint32_t i = 0; i < 3; ++i) {
    AnswersGeneration(2 * i);
    AnswersOneChain({RuleMessage("in", 7 + i, {VerdictExpression(NF_DROP)})}, 2 * i + 1);
  }
  const auto ruleset = Reader().ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  EXPECT_TRUE(ruleset->torn);
  EXPECT_EQ(ruleset->generation, 4U);
  EXPECT_EQ(FindChain(ruleset->tables.at(0), "in")->rules.at(0).handle, 9U) << "the last reading";
  EXPECT_EQ(kernel_->AnswersLeft(), 0U);
}

TEST_F(NftReaderFaultTest, OneThatHoldsStillTheSecondTimeIsWhole) {
  AnswersGeneration(1);
  AnswersOneChain({}, 2);
  AnswersGeneration(2);
  AnswersOneChain({RuleMessage("in", 7, {VerdictExpression(NF_DROP)})}, 2);
  const auto ruleset = Reader().ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  EXPECT_FALSE(ruleset->torn);
  EXPECT_EQ(ruleset->generation, 2U);
  EXPECT_THAT(FindChain(ruleset->tables.at(0), "in")->rules, SizeIs(1));
}

TEST_F(NftReaderFaultTest, ADumpThatIsInterruptedIsReadAgainWithoutWhatCameBefore) {
  FakeMessage interrupted = RuleMessage("in", 7, {VerdictExpression(NF_DROP)});
  interrupted.flags |= NLM_F_DUMP_INTR;
  kernel_->Answers({interrupted, Done()});
  kernel_->Answers({RuleMessage("in", 8, {}), Done()});
  const auto chain = Reader().ReadChain(kFamily, "t", "in", 10);
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  ASSERT_THAT(chain->rules, SizeIs(1));
  EXPECT_EQ(chain->rules[0].handle, 8U);
  EXPECT_EQ(chain->rules[0].index, 1U);
}

TEST_F(NftReaderFaultTest, DumpsThatAreInterruptedEveryTimeMakeTheRulesetTorn) {
  for (int attempt = 0; attempt < NftReader::kAttempts; ++attempt) {
    AnswersGeneration(1);
    for (int dump = 0; dump < kernel::netlink::Channel::kDumpAttempts; ++dump) {
      FakeMessage table = TableMessage("t");
      table.flags |= NLM_F_DUMP_INTR;
      kernel_->Answers({table, Done()});
    }
    kernel_->Answers({Done()});
    AnswersGeneration(1);
  }
  const auto ruleset = Reader().ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  EXPECT_TRUE(ruleset->torn);
  EXPECT_THAT(ruleset->tables, SizeIs(1));
}

TEST_F(NftReaderFaultTest, MoreTablesThanTheLimitAreSaidToBeUnread) {
  ReaderLimits limits;
  limits.tables = 1;
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("a", NFPROTO_ARP), TableMessage("t"), TableMessage("u"), Done()});
  kernel_->Answers({Done()});
  AnswersGeneration(1);
  const auto ruleset = Reader(limits).ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  ASSERT_THAT(ruleset->tables, SizeIs(1));
  EXPECT_EQ(ruleset->tables[0].name, "t");
  ASSERT_THAT(ruleset->unread, SizeIs(1));
  EXPECT_EQ(ruleset->unread[0].error.message, "read nftables' tables: only the first 1 are read");
  EXPECT_EQ(ruleset->unread[0].family, std::nullopt);
}

TEST_F(NftReaderFaultTest, MoreBaseChainsThanTheLimitAreAnError) {
  ReaderLimits limits;
  limits.chains = 1;
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()});
  kernel_->Answers(
      {BaseChainMessage("gone", "in"), BaseChainMessage("t", "in"), BaseChainMessage("t", "more"), Done()});
  ExpectFails(Reader(limits).ReadAll(), FailureReason::kError, "read nftables' chains: more than 1 base chains");
}

TEST_F(NftReaderFaultTest, BeyondItsLimitOfChainsAJumpLeadsToOneThatTheModelDoesNotHold) {
  ReaderLimits limits;
  limits.chains = 1;
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
  kernel_->Answers({RuleMessage("in", 1, {VerdictExpression(NFT_JUMP, "a")}),
                    RuleMessage("in", 2, {VerdictExpression(NFT_JUMP, "b")}), Done()});
  kernel_->Answers({RuleMessage("a", 3, {}), Done()});
  AnswersGeneration(1);
  const auto ruleset = Reader(limits).ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  EXPECT_THAT(FindChain(ruleset->tables.at(0), "a")->rules, SizeIs(1));
  EXPECT_EQ(FindChain(ruleset->tables.at(0), "b"), nullptr);
}

TEST_F(NftReaderFaultTest, ASetOrCounterThatHasGoneMeansThatTheRulesetChanged) {
  const Put lookup = Named(NFTA_LIST_ELEM, "lookup", {Text(NFTA_LOOKUP_SET, "s"), Number32(NFTA_LOOKUP_SREG, 1)});
  const Put counter = Named(NFTA_LIST_ELEM, "objref",
                            {Number32(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER), Text(NFTA_OBJREF_IMM_NAME, "c")});
  for (const Put& reference : {lookup, counter}) {
    for (int attempt = 0; attempt < NftReader::kAttempts; ++attempt) {
      AnswersGeneration(1);
      kernel_->Answers({TableMessage("t"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
      kernel_->Answers({RuleMessage("in", 1, {reference}), Done()});
      kernel_->Answers({ErrorMessage(-ENOENT)});
      AnswersGeneration(1);
    }
    const auto ruleset = Reader().ReadAll();
    ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
    EXPECT_TRUE(ruleset->torn);
    EXPECT_THAT(ruleset->tables.at(0).sets, IsEmpty());
    EXPECT_THAT(ruleset->tables.at(0).objects, IsEmpty());
    EXPECT_EQ(kernel_->AnswersLeft(), 0U);

    AnswersGeneration(1);
    kernel_->Answers({TableMessage("t"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
    kernel_->Answers({RuleMessage("in", 1, {reference}), Done()});
    kernel_->Answers({ErrorMessage(-ENOMEM)});
    const auto refused = Reader().ReadAll();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().errno_code, ENOMEM) << "any other error is one";
  }
}

TEST_F(NftReaderFaultTest, OnlyFlowtablesThatARuleNamesAreAskedForAndHeld) {
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), TableMessage("u"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
  kernel_->Answers({RuleMessage("in", 1, {OffloadExpression("fast")}), Done()});
  kernel_->Answers({FlowtableMessage("u", "fast", {"eth9"}), FlowtableMessage("t", "idle", {"eth8"}),
                    FlowtableMessage("t", "fast", {}, 0, 0, NFPROTO_IPV4), FlowtableMessage("t", "fast", {}, 0, 0, 3),
                    FlowtableMessage("t", "fast", {"eth0", "eth1"}, -10, NFT_FLOWTABLE_HW_OFFLOAD), Done()});
  AnswersGeneration(1);
  const auto ruleset = Reader().ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  EXPECT_THAT(Asked(), ElementsAre(NFT_MSG_GETGEN, NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE,
                                   NFT_MSG_GETFLOWTABLE, NFT_MSG_GETGEN));
  ASSERT_THAT(ruleset->tables.at(0).flowtables, SizeIs(1));
  const Flowtable& fast = ruleset->tables[0].flowtables[0];
  EXPECT_EQ(fast.name, "fast");
  EXPECT_EQ(fast.priority, -10);
  EXPECT_TRUE(fast.hardware);
  EXPECT_THAT(fast.devices, ElementsAre(Device{"eth0", false}, Device{"eth1", false}));
  EXPECT_THAT(ruleset->tables.at(1).flowtables, IsEmpty());
}

TEST_F(NftReaderFaultTest, AFlowtableWithoutItsPriorityIsMalformedAndARefusalAnError) {
  const auto answer_rules = [&] {
    AnswersGeneration(1);
    kernel_->Answers({TableMessage("t"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
    kernel_->Answers({RuleMessage("in", 1, {OffloadExpression("fast")}), Done()});
  };
  answer_rules();
  kernel_->Answers({ErrorMessage(-ENOMEM)});
  ExpectFails(Reader().ReadAll(), FailureReason::kError, "read nftables' flowtables: Cannot allocate memory");
  answer_rules();
  kernel_->Answers(
      {NftMessage(NFT_MSG_NEWFLOWTABLE, {Text(NFTA_FLOWTABLE_TABLE, "t"), Text(NFTA_FLOWTABLE_NAME, "fast")}), Done()});
  ExpectMalformed(Reader().ReadAll(), "read nftables' flowtables");
}

TEST_F(NftReaderFaultTest, FlowtablesBeyondTheLimitAreLeftOutAndADumpAgainStartsAnew) {
  ReaderLimits limits;
  limits.flowtables = 1;
  AnswersGeneration(1);
  kernel_->Answers({TableMessage("t"), Done()}).Answers({BaseChainMessage("t", "in"), Done()});
  kernel_->Answers({RuleMessage("in", 1, {OffloadExpression("a"), OffloadExpression("b")}), Done()});
  FakeMessage interrupted = FlowtableMessage("t", "a", {"eth0"});
  interrupted.flags |= NLM_F_DUMP_INTR;
  kernel_->Answers({interrupted, Done()});
  kernel_->Answers({FlowtableMessage("t", "b", {"eth1"}), FlowtableMessage("t", "a", {"eth0"}), Done()});
  AnswersGeneration(1);
  const auto ruleset = Reader(limits).ReadAll();
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().message;
  ASSERT_THAT(ruleset->tables.at(0).flowtables, SizeIs(1));
  EXPECT_EQ(ruleset->tables[0].flowtables[0].name, "b");
}

TEST_F(NftReaderFaultTest, RulesOfOthersAreLeftOutAndThoseBeyondTheLimitMarked) {
  kernel_->Answers({RuleMessage("other", 1, {}), RuleMessage("in", 2, {}), RuleMessage("in", 3, {}), Done()});
  const auto chain = Reader().ReadChain(kFamily, "t", "in", 1);
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  ASSERT_THAT(chain->rules, SizeIs(1));
  EXPECT_EQ(chain->rules[0].handle, 2U);
  EXPECT_EQ(chain->contents, Contents::kTruncated);
}

TEST_F(NftReaderFaultTest, ARuleWithoutItsHandleIsMalformed) {
  kernel_->Answers({NftMessage(NFT_MSG_NEWRULE, {Text(NFTA_RULE_CHAIN, "in")}), Done()});
  ExpectMalformed(Reader().ReadChain(kFamily, "t", "in", 10), "read nftables' rules");
}

TEST_F(NftReaderFaultTest, OneRuleIsReadByItsHandle) {
  kernel_->Answers({RuleMessage("in", 9, {VerdictExpression(NF_DROP)}), Acknowledgement()});
  const auto rule = Reader().ReadRule(kFamily, "t", "in", 9);
  ASSERT_TRUE(rule.has_value()) << rule.error().message;
  EXPECT_EQ(rule->handle, 9U);
  EXPECT_EQ(std::get<VerdictStatement>(rule->expressions.at(0)).verdict.kind, Verdict::Kind::kDrop);
  kernel_->Answers({ErrorMessage(-ENOENT)});
  const auto gone = Reader().ReadRule(kFamily, "t", "in", 9);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().errno_code, ENOENT);
  kernel_->Answers({Acknowledgement()});
  ExpectMalformed(Reader().ReadRule(kFamily, "t", "in", 9), "read one of nftables' rules");
}

TEST_F(NftReaderFaultTest, WhetherAChainIsThere) {
  kernel_->Answers({BaseChainMessage("t", "in"), Acknowledgement()});
  EXPECT_TRUE(Reader().ChainExists(kFamily, "t", "in").value());
  kernel_->Answers({ErrorMessage(-ENOENT)});
  EXPECT_FALSE(Reader().ChainExists(kFamily, "t", "in").value());
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFails(Reader().ChainExists(kFamily, "t", "in"), FailureReason::kPermission,
              "look for one of nftables' chains: Operation not permitted");
}

TEST_F(NftReaderFaultTest, APolicysCounterIsReadWhereItCounts) {
  const Put counters =
      Nest(NFTA_CHAIN_COUNTERS, {Number64(NFTA_COUNTER_BYTES, 300), Number64(NFTA_COUNTER_PACKETS, 4)});
  kernel_->Answers({BaseChainMessage("t", "in", {counters}), Acknowledgement()});
  EXPECT_EQ(Reader().ReadPolicyCounter(kFamily, "t", "in").value(), (Counter{4, 300}));
  kernel_->Answers({BaseChainMessage("t", "in"), Acknowledgement()});
  EXPECT_EQ(Reader().ReadPolicyCounter(kFamily, "t", "in").value(), std::nullopt);
  kernel_->Answers({ErrorMessage(-ENOENT)});
  EXPECT_EQ(Reader().ReadPolicyCounter(kFamily, "t", "in").value(), std::nullopt) << "it is gone";
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFails(Reader().ReadPolicyCounter(kFamily, "t", "in"), FailureReason::kPermission,
              "read a policy's counter in nftables: Operation not permitted");
}

TEST_F(NftReaderFaultTest, ASetIsMadeOfItsDescriptionAndItsElements) {
  kernel_->Answers({SetMessage("s"), Acknowledgement()});
  kernel_->Answers(
      {ElementsMessage({{Data(NFTA_SET_ELEM_KEY, Bytes({0, 22}))}, {Data(NFTA_SET_ELEM_KEY, Bytes({0, 80}))}}),
       Done()});
  const auto set = Reader().ReadSet(kFamily, "t", "s", 1);
  ASSERT_TRUE(set.has_value()) << set.error().message;
  EXPECT_EQ(set->key_length, 2U);
  EXPECT_EQ(set->element_count, 2U);
  EXPECT_THAT(set->elements, SizeIs(1));
  EXPECT_EQ(set->contents, Contents::kTruncated);
}

TEST_F(NftReaderFaultTest, ASetThatCannotBeReadSaysWhy) {
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFails(Reader().ReadSet(kFamily, "t", "s", 1), FailureReason::kPermission,
              "read one of nftables' sets: Operation not permitted");
  kernel_->Answers({SetMessage("s", {Number32(NFTA_SET_KEY_LEN, 65)}), Acknowledgement()});
  ExpectMalformed(Reader().ReadSet(kFamily, "t", "s", 1), "read one of nftables' sets");
  kernel_->Answers({SetMessage("s"), Acknowledgement()}).Answers({Done(-ENOMEM)});
  ExpectFails(Reader().ReadSet(kFamily, "t", "s", 1), FailureReason::kError,
              "read one of nftables' sets: Cannot allocate memory");
}

class FindElementTest : public NftReaderFaultTest {
 protected:
  Result<std::optional<SetElement>> Find() {
    Set set;
    set.name = "s";
    set.key_length = 2;
    set.interval = true;
    return Reader().FindElement(kFamily, "t", set, Bytes({0, 22}));
  }
};

TEST_F(FindElementTest, TheKeysOwnElementIsFoundFirst) {
  kernel_->Answers({ElementsMessage({{Data(NFTA_SET_ELEM_KEY, Bytes({0, 20}))}}), Acknowledgement()});
  const auto found = Find();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->key, Bytes({0, 20}));
  EXPECT_EQ((*found)->key_end, std::nullopt) << "the kernel sends only where the range starts";
  EXPECT_THAT(Asked(), ElementsAre(NFT_MSG_GETSETELEM));
}

TEST_F(FindElementTest, ThenTheCatchAll) {
  kernel_->Answers({ErrorMessage(-ENOENT)});
  kernel_->Answers({ElementsMessage({{Number32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_CATCHALL)}}), Acknowledgement()});
  const auto found = Find();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_TRUE(*found);
  EXPECT_TRUE((*found)->catch_all);
  EXPECT_THAT(Asked(), ElementsAre(NFT_MSG_GETSETELEM, NFT_MSG_GETSETELEM));
}

TEST_F(FindElementTest, ThereIsNoneWhereNeitherIsThereOrTheKernelKnowsNoCatchAll) {
  for (const int code : {ENOENT, EOPNOTSUPP}) {
    kernel_->Answers({ErrorMessage(-ENOENT)}).Answers({ErrorMessage(-code)});
    const auto found = Find();
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_FALSE(*found);
    EXPECT_EQ(kernel_->AnswersLeft(), 0U);
  }
  kernel_->Answers({Acknowledgement()}).Answers({Acknowledgement()});
  EXPECT_EQ(Find().value(), std::nullopt) << "an answer without an element";
}

TEST_F(FindElementTest, AnyOtherErrorIsOne) {
  kernel_->Answers({ErrorMessage(-EOPNOTSUPP)});
  ExpectFails(Find(), FailureReason::kUnsupported, "look up a key in one of nftables' sets: Operation not supported");
  kernel_->Answers({ErrorMessage(-ENOENT)}).Answers({ErrorMessage(-EPERM)});
  ExpectFails(Find(), FailureReason::kPermission, "look up a key in one of nftables' sets: Operation not permitted");
}

TEST_F(NftReaderFaultTest, ANamedCounterIsRead) {
  const auto answer = [&](std::vector<Put> parts) {
    kernel_->Answers({NftMessage(NFT_MSG_NEWOBJ, parts), Acknowledgement()});
    return Reader().ReadObject(kFamily, "t", "c", NFT_OBJECT_COUNTER);
  };
  const Put name = Text(NFTA_OBJ_NAME, "c");
  const Put type = Number32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
  const auto object =
      answer({name, type, Nest(NFTA_OBJ_DATA, {Number64(NFTA_COUNTER_BYTES, 50), Number64(NFTA_COUNTER_PACKETS, 5)})});
  ASSERT_TRUE(object.has_value()) << object.error().message;
  EXPECT_EQ(object->name, "c");
  EXPECT_EQ(object->type, std::uint32_t{NFT_OBJECT_COUNTER});
  EXPECT_EQ(object->counter, (Counter{5, 50}));
  ExpectMalformed(answer({name}), "read one of nftables' named counters");
  ExpectMalformed(answer({type}), "read one of nftables' named counters");
  kernel_->Answers({ErrorMessage(-ENOENT)});
  EXPECT_EQ(Reader().ReadObject(kFamily, "t", "c", NFT_OBJECT_COUNTER).error().errno_code, ENOENT);
}

}  // namespace
}  // namespace finwait::firewall::read
