#include "collectors/firewall/read/nft_attributes.h"

#include <gmock/gmock.h>
#include <linux/netfilter.h>

#include "tests/unit/collectors/firewall/read/nft_bytes.h"

namespace finwait::firewall::read {
namespace {

TEST(NftAttributesTest, TheTwoNamesOfARegisterAreOnePlace) {
  EXPECT_EQ(DecodeRegister(NFT_REG_1), (Register{0}));
  EXPECT_EQ(DecodeRegister(NFT_REG_4), (Register{48}));
  EXPECT_EQ(DecodeRegister(NFT_REG32_00), (Register{0}));
  EXPECT_EQ(DecodeRegister(NFT_REG32_01), (Register{4}));
  EXPECT_EQ(DecodeRegister(NFT_REG32_15), (Register{60}));
}

TEST(NftAttributesTest, WhatIsNoDataRegisterIsNone) {
  EXPECT_EQ(DecodeRegister(std::nullopt), std::nullopt);
  EXPECT_EQ(DecodeRegister(NFT_REG_VERDICT), std::nullopt);
  EXPECT_EQ(DecodeRegister(NFT_REG_4 + 1), std::nullopt) << "between the two kinds";
  EXPECT_EQ(DecodeRegister(NFT_REG32_15 + 1), std::nullopt);
}

TEST(NftAttributesTest, AValueHasOneTo64Bytes) {
  const auto decode = [](std::size_t length) {
    return DecodeValue(BytesOfParts({Raw(NFTA_DATA_VALUE, Value(length, std::byte{7}))}));
  };
  EXPECT_EQ(decode(1), Bytes({7}));
  EXPECT_EQ(decode(64)->size(), 64U);
  EXPECT_EQ(decode(0), std::nullopt);
  EXPECT_EQ(decode(65), std::nullopt);
  EXPECT_EQ(DecodeValue({}), std::nullopt);
}

std::optional<Verdict> VerdictOf(std::int64_t code, const std::string& chain = {}) {
  const Value nest = BytesOfParts({VerdictData(1, static_cast<std::int32_t>(code), chain)});
  return DecodeVerdict(AttributeMap(nest).Nested(1));
}

TEST(NftAttributesTest, EveryVerdictOfTheKernelIsKnown) {
  EXPECT_EQ(VerdictOf(NF_DROP), (Verdict{Verdict::Kind::kDrop, {}}));
  EXPECT_EQ(VerdictOf(NF_ACCEPT), (Verdict{Verdict::Kind::kAccept, {}}));
  EXPECT_EQ(VerdictOf(NF_STOLEN), (Verdict{Verdict::Kind::kStolen, {}}));
  EXPECT_EQ(VerdictOf(NF_QUEUE), (Verdict{Verdict::Kind::kQueue, {}}));
  EXPECT_EQ(VerdictOf(NFT_CONTINUE), (Verdict{Verdict::Kind::kContinue, {}}));
  EXPECT_EQ(VerdictOf(NFT_BREAK), (Verdict{Verdict::Kind::kBreak, {}}));
  EXPECT_EQ(VerdictOf(NFT_RETURN), (Verdict{Verdict::Kind::kReturn, {}}));
  EXPECT_EQ(VerdictOf(NFT_JUMP, "there"), (Verdict{Verdict::Kind::kJump, "there"}));
  EXPECT_EQ(VerdictOf(NFT_GOTO, "there"), (Verdict{Verdict::Kind::kGoto, "there"}));
}

TEST(NftAttributesTest, TheUpperHalfOfAVerdictIsAQueueOrAnErrno) {
  EXPECT_EQ(VerdictOf((3 << 16) | NF_QUEUE), (Verdict{Verdict::Kind::kQueue, {}})) << "NF_QUEUE_NR(3)";
  EXPECT_EQ(VerdictOf((1 << 16) | NF_DROP), (Verdict{Verdict::Kind::kDrop, {}})) << "NF_DROP_ERR";
}

TEST(NftAttributesTest, AVerdictThatIsNotKnownIsNone) {
  EXPECT_EQ(VerdictOf(NFT_JUMP), std::nullopt) << "to nowhere";
  EXPECT_EQ(VerdictOf(NFT_GOTO), std::nullopt);
  EXPECT_EQ(VerdictOf(NFT_RETURN - 1), std::nullopt) << "one that a newer kernel may have";
  EXPECT_EQ(VerdictOf(-256), std::nullopt) << "whose lower bits look like NF_DROP";
  EXPECT_EQ(VerdictOf(NF_REPEAT), std::nullopt) << "no rule can say it";
  EXPECT_EQ(DecodeVerdict(BytesOfParts({Nest(NFTA_DATA_VERDICT, {Text(NFTA_VERDICT_CHAIN, "there")})})), std::nullopt)
      << "without its code";
}

TEST(NftAttributesTest, ACounterHasPacketsAndBytes) {
  const auto decode = [](const std::vector<Put>& parts) {
    const Value bytes = BytesOfParts(parts);
    return DecodeCounter(AttributeMap(bytes));
  };
  const Put bytes = Number64(NFTA_COUNTER_BYTES, std::uint64_t{5} << 40);
  const Put packets = Number64(NFTA_COUNTER_PACKETS, 7);
  EXPECT_EQ(decode({bytes, packets}), (Counter{7, std::uint64_t{5} << 40}));
  EXPECT_EQ(decode({bytes}), std::nullopt);
  EXPECT_EQ(decode({packets}), std::nullopt);
}

TEST(NftAttributesTest, OfARepeatedAttributeTheLastCountsAndOfATornNestItIsTold) {
  Value bytes = BytesOfParts({Number32(3, 1), Number32(3, 2)});
  EXPECT_EQ(AttributeMap(bytes).Number(3), 2U);
  EXPECT_TRUE(AttributeMap(bytes).WellFormed());
  bytes.resize(bytes.size() - 2);
  EXPECT_FALSE(AttributeMap(bytes).WellFormed());
}

}  // namespace
}  // namespace finwait::firewall::read
