#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>

#include "collectors/firewall/read/nft_attributes.h"
#include "tests/unit/collectors/firewall/read/nft_bytes.h"

// Every kind of expression that loads, computes, compares or looks up, each field with a number of its own.
namespace finwait::firewall::read {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(NftLoadsTest, AnImmediateIsAValueOrAVerdict) {
  const auto value = DecodedAs<Immediate>(
      "immediate", {Number32(NFTA_IMMEDIATE_DREG, NFT_REG_2), Data(NFTA_IMMEDIATE_DATA, Bytes({1, 2, 3}))});
  EXPECT_EQ(value.destination, (Register{16}));
  EXPECT_EQ(value.value, Bytes({1, 2, 3}));
  const auto verdict = DecodedAs<VerdictStatement>("immediate", {Number32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT),
                                                                 VerdictData(NFTA_IMMEDIATE_DATA, NFT_GOTO, "there")});
  EXPECT_EQ(verdict.verdict, (Verdict{Verdict::Kind::kGoto, "there"}));
  ExpectNeeds({"immediate", {Number32(NFTA_IMMEDIATE_DREG, NFT_REG_2), Data(NFTA_IMMEDIATE_DATA, Bytes({1}))}, {}});
  ExpectNeeds(
      {"immediate", {Number32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT), VerdictData(NFTA_IMMEDIATE_DATA, NF_DROP)}, {}});
}

TEST(NftLoadsTest, WhatDoesNotFitTheRegistersIsNotUnderstood) {
  const auto into_the_last = [](Value value) {
    return Decoded("immediate", {Number32(NFTA_IMMEDIATE_DREG, NFT_REG32_15), Data(NFTA_IMMEDIATE_DATA, value)});
  };
  EXPECT_EQ(std::get<Immediate>(into_the_last(Bytes({1, 2, 3, 4}))).destination, (Register{60}));
  EXPECT_TRUE(IsNotUnderstood(into_the_last(Bytes({1, 2, 3, 4, 5})), "immediate"));
  EXPECT_TRUE(IsNotUnderstood(
      Decoded("immediate", {Number32(NFTA_IMMEDIATE_DREG, 99), Data(NFTA_IMMEDIATE_DATA, Bytes({1}))}), "immediate"));
}

TEST(NftLoadsTest, APayloadIsLoadedOrWritten) {
  const Put base = Number32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
  const Put offset = Number32(NFTA_PAYLOAD_OFFSET, 13);
  const Put length = Number32(NFTA_PAYLOAD_LEN, 2);
  const Put destination = Number32(NFTA_PAYLOAD_DREG, NFT_REG_1);
  const Put source = Number32(NFTA_PAYLOAD_SREG, NFT_REG_3);
  const auto load = DecodedAs<PayloadLoad>("payload", {destination, base, offset, length});
  EXPECT_EQ(load.base, std::uint32_t{NFT_PAYLOAD_TRANSPORT_HEADER});
  EXPECT_EQ(load.offset, 13U);
  EXPECT_EQ(load.length, 2U);
  EXPECT_EQ(load.destination, (Register{0}));
  const auto write = DecodedAs<PayloadWrite>("payload", {source, base, offset, length});
  EXPECT_EQ(write.base, std::uint32_t{NFT_PAYLOAD_TRANSPORT_HEADER});
  EXPECT_EQ(write.offset, 13U);
  EXPECT_EQ(write.length, 2U);
  EXPECT_EQ(write.source, (Register{32}));
  ExpectNeeds({"payload", {base, offset, length, destination}, {}});
  ExpectNeeds({"payload", {base, offset, length, source}, {}});
  EXPECT_TRUE(
      IsNotUnderstood(Decoded("payload", {destination, base, offset, Number32(NFTA_PAYLOAD_LEN, 65)}), "payload"));
  EXPECT_TRUE(IsNotUnderstood(Decoded("payload", {source, base, offset, Number32(NFTA_PAYLOAD_LEN, 0)}), "payload"));
}

TEST(NftLoadsTest, AMetaIsLoadedOrSet) {
  const Put key = Number32(NFTA_META_KEY, NFT_META_MARK);
  const auto load = DecodedAs<MetaLoad>("meta", {key, Number32(NFTA_META_DREG, NFT_REG_4)});
  EXPECT_EQ(load.key, std::uint32_t{NFT_META_MARK});
  EXPECT_EQ(load.destination, (Register{48}));
  const auto set = DecodedAs<MetaSet>("meta", {key, Number32(NFTA_META_SREG, NFT_REG_2)});
  EXPECT_EQ(set.key, std::uint32_t{NFT_META_MARK});
  EXPECT_EQ(set.source, (Register{16}));
  ExpectNeeds({"meta", {key, Number32(NFTA_META_DREG, NFT_REG_4)}, {}});
}

TEST(NftLoadsTest, ACtIsLoadedOrSetOfOneDirectionOrOfNone) {
  const Put key = Number32(NFTA_CT_KEY, NFT_CT_SRC_IP);
  const Put reply = Number8(NFTA_CT_DIRECTION, 1);
  const Put destination = Number32(NFTA_CT_DREG, NFT_REG_1);
  const auto load = DecodedAs<CtLoad>("ct", {destination, key, reply});
  EXPECT_EQ(load.key, std::uint32_t{NFT_CT_SRC_IP});
  EXPECT_EQ(load.direction, 1);
  EXPECT_EQ(load.destination, (Register{0}));
  EXPECT_EQ(DecodedAs<CtLoad>("ct", {destination, key}).direction, std::nullopt);
  const auto set = DecodedAs<CtSet>("ct", {Number32(NFTA_CT_SREG, NFT_REG_3), key, Number8(NFTA_CT_DIRECTION, 0)});
  EXPECT_EQ(set.key, std::uint32_t{NFT_CT_SRC_IP});
  EXPECT_EQ(set.direction, 0);
  EXPECT_EQ(set.source, (Register{32}));
  ExpectNeeds({"ct", {destination, key}, {reply}});
}

class BitwiseTest : public testing::Test {
 protected:
  const Put source_ = Number32(NFTA_BITWISE_SREG, NFT_REG_1);
  const Put destination_ = Number32(NFTA_BITWISE_DREG, NFT_REG_2);
  const Put length_ = Number32(NFTA_BITWISE_LEN, 4);
  const Put mask_ = Data(NFTA_BITWISE_MASK, Bytes({255, 255, 0, 0}));
  const Put xor_ = Data(NFTA_BITWISE_XOR, Bytes({0, 1, 2, 3}));
  static Put Operation(std::uint32_t operation) { return Number32(NFTA_BITWISE_OP, operation); }
};

TEST_F(BitwiseTest, MaskAndXorAreAsLongAsTheValue) {
  const auto bitwise =
      DecodedAs<Bitwise>("bitwise", {source_, destination_, length_, Operation(NFT_BITWISE_BOOL), mask_, xor_});
  EXPECT_EQ(bitwise.operation, std::uint32_t{NFT_BITWISE_BOOL});
  EXPECT_EQ(bitwise.source, (Register{0}));
  EXPECT_EQ(bitwise.destination, (Register{16}));
  EXPECT_EQ(bitwise.length, 4U);
  EXPECT_EQ(bitwise.mask, Bytes({255, 255, 0, 0}));
  EXPECT_EQ(bitwise.xor_value, Bytes({0, 1, 2, 3}));
  EXPECT_EQ(bitwise.second_source, std::nullopt);
  ExpectNeeds({"bitwise", {source_, destination_, length_, mask_, xor_}, {Operation(NFT_BITWISE_BOOL)}});
  const Put short_mask = Data(NFTA_BITWISE_MASK, Bytes({255}));
  EXPECT_TRUE(IsNotUnderstood(Decoded("bitwise", {source_, destination_, length_, short_mask, xor_}), "bitwise"));
}

TEST_F(BitwiseTest, AShiftIsANumberInTheHostsOrder) {
  for (const std::uint32_t operation : {NFT_BITWISE_LSHIFT, NFT_BITWISE_RSHIFT}) {
    const std::uint32_t by = 12;
    const auto* bytes = reinterpret_cast<const std::byte*>(&by);
    const Put data = Data(NFTA_BITWISE_DATA, Value(bytes, bytes + sizeof by));
    const auto bitwise = DecodedAs<Bitwise>("bitwise", {source_, destination_, length_, Operation(operation), data});
    EXPECT_EQ(bitwise.operation, operation);
    EXPECT_EQ(bitwise.shift, 12U);
    ExpectNeeds({"bitwise", {source_, destination_, length_, Operation(operation), data}, {}});
    const Put too_short = Data(NFTA_BITWISE_DATA, Bytes({12}));
    EXPECT_TRUE(IsNotUnderstood(Decoded("bitwise", {source_, destination_, length_, Operation(operation), too_short}),
                                "bitwise"));
  }
}

TEST_F(BitwiseTest, AndOrAndXorTakeAValueOrASecondRegister) {
  constexpr std::uint32_t kAnd = 3;  // NFT_BITWISE_AND, Linux 6.13
  const Put data = Data(NFTA_BITWISE_DATA, Bytes({9, 8, 7, 6}));
  const auto with_value = DecodedAs<Bitwise>("bitwise", {source_, destination_, length_, Operation(kAnd), data});
  EXPECT_EQ(with_value.operation, kAnd);
  EXPECT_EQ(with_value.mask, Bytes({9, 8, 7, 6}));
  EXPECT_EQ(with_value.second_source, std::nullopt);
  const Put second = Number32(kBitwiseSecondSource, NFT_REG32_15);
  const auto with_register = DecodedAs<Bitwise>("bitwise", {source_, destination_, length_, Operation(kAnd), second});
  EXPECT_EQ(with_register.second_source, (Register{60}));
  EXPECT_EQ(with_register.mask, Value());
  EXPECT_TRUE(IsNotUnderstood(Decoded("bitwise", {source_, destination_, length_, Operation(kAnd)}), "bitwise"));
  const Put short_data = Data(NFTA_BITWISE_DATA, Bytes({9}));
  EXPECT_TRUE(
      IsNotUnderstood(Decoded("bitwise", {source_, destination_, length_, Operation(kAnd), short_data}), "bitwise"));
  EXPECT_TRUE(IsNotUnderstood(
      Decoded("bitwise", {source_, destination_, Number32(NFTA_BITWISE_LEN, 8), Operation(kAnd), second}), "bitwise"))
      << "eight bytes do not fit behind the last register";
}

TEST(NftLoadsTest, AByteOrderSaysHowLongEachNumberIs) {
  const Put size = Number32(NFTA_BYTEORDER_SIZE, 2);
  const std::vector<Put> others = {Number32(NFTA_BYTEORDER_SREG, NFT_REG_1), Number32(NFTA_BYTEORDER_DREG, NFT_REG_4),
                                   Number32(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON), Number32(NFTA_BYTEORDER_LEN, 8)};
  std::vector<Put> parts = others;
  parts.push_back(size);
  const auto order = DecodedAs<ByteOrder>("byteorder", parts);
  EXPECT_EQ(order.operation, std::uint32_t{NFT_BYTEORDER_HTON});
  EXPECT_EQ(order.source, (Register{0}));
  EXPECT_EQ(order.destination, (Register{48}));
  EXPECT_EQ(order.length, 8U);
  EXPECT_EQ(order.size, 2U);
  ExpectNeeds({"byteorder", parts, {}});
  parts.back() = Number32(NFTA_BYTEORDER_SIZE, 3);
  EXPECT_TRUE(IsNotUnderstood(Decoded("byteorder", parts), "byteorder"));
}

TEST(NftLoadsTest, NumbersAreDrawnOrHashed) {
  const auto drawn =
      DecodedAs<NumberGenerator>("numgen", {Number32(NFTA_NG_DREG, NFT_REG_2), Number32(NFTA_NG_MODULUS, 10),
                                            Number32(NFTA_NG_TYPE, NFT_NG_RANDOM), Number32(NFTA_NG_OFFSET, 100)});
  EXPECT_EQ(drawn.type, std::uint32_t{NFT_NG_RANDOM});
  EXPECT_EQ(drawn.modulus, 10U);
  EXPECT_EQ(drawn.offset, 100U);
  EXPECT_EQ(drawn.destination, (Register{16}));
  ExpectNeeds({"numgen", {Number32(NFTA_NG_DREG, NFT_REG_2)}, {Number32(NFTA_NG_MODULUS, 10)}});

  const Put destination = Number32(NFTA_HASH_DREG, NFT_REG_3);
  const auto hash =
      DecodedAs<Hash>("hash", {Number32(NFTA_HASH_SREG, NFT_REG_2), destination, Number32(NFTA_HASH_LEN, 12),
                               Number32(NFTA_HASH_MODULUS, 16), Number32(NFTA_HASH_SEED, 77),
                               Number32(NFTA_HASH_OFFSET, 5), Number32(NFTA_HASH_TYPE, NFT_HASH_JENKINS)});
  EXPECT_EQ(hash.type, std::uint32_t{NFT_HASH_JENKINS});
  EXPECT_EQ(hash.source, (Register{16}));
  EXPECT_EQ(hash.destination, (Register{32}));
  EXPECT_EQ(hash.length, 12U);
  EXPECT_EQ(hash.modulus, 16U);
  EXPECT_EQ(hash.seed, 77U);
  EXPECT_EQ(hash.offset, 5U);
  const auto symmetric = DecodedAs<Hash>("hash", {destination, Number32(NFTA_HASH_TYPE, NFT_HASH_SYM)});
  EXPECT_EQ(symmetric.type, std::uint32_t{NFT_HASH_SYM});
  EXPECT_EQ(symmetric.source, (Register{0})) << "it has none";
  ExpectNeeds({"hash", {destination}, {Number32(NFTA_HASH_LEN, 12)}});
}

TEST(NftLoadsTest, RoutingIsAskedForByFlagsOrByKey) {
  const std::vector<Put> parts = {Number32(NFTA_FIB_DREG, NFT_REG_1),
                                  Number32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE),
                                  Number32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF)};
  const auto fib = DecodedAs<Fib>("fib", parts);
  EXPECT_EQ(fib.result, std::uint32_t{NFT_FIB_RESULT_ADDRTYPE});
  EXPECT_EQ(fib.flags, std::uint32_t{NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF});
  EXPECT_EQ(fib.destination, (Register{0}));
  ExpectNeeds({"fib", parts, {}});

  const std::vector<Put> route_parts = {Number32(NFTA_RT_DREG, NFT_REG_2), Number32(NFTA_RT_KEY, NFT_RT_TCPMSS)};
  const auto route = DecodedAs<RouteLoad>("rt", route_parts);
  EXPECT_EQ(route.key, std::uint32_t{NFT_RT_TCPMSS});
  EXPECT_EQ(route.destination, (Register{16}));
  ExpectNeeds({"rt", route_parts, {}});
}

TEST(NftLoadsTest, AnExtensionHeaderIsLoadedOrWritten) {
  const Put type = Number8(NFTA_EXTHDR_TYPE, 2);
  const Put offset = Number32(NFTA_EXTHDR_OFFSET, 3);
  const Put length = Number32(NFTA_EXTHDR_LEN, 4);
  const Put operation = Number32(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
  const auto load =
      DecodedAs<ExtensionHeader>("exthdr", {Number32(NFTA_EXTHDR_DREG, NFT_REG_1), type, offset, length,
                                            Number32(NFTA_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT), operation});
  EXPECT_EQ(load.operation, std::uint32_t{NFT_EXTHDR_OP_TCPOPT});
  EXPECT_EQ(load.type, 2U);
  EXPECT_EQ(load.offset, 3U);
  EXPECT_EQ(load.length, 4U);
  EXPECT_EQ(load.flags, std::uint32_t{NFT_EXTHDR_F_PRESENT});
  EXPECT_EQ(load.destination, (Register{0}));
  EXPECT_EQ(load.source, std::nullopt);
  const Put into_the_last = Number32(NFTA_EXTHDR_SREG, NFT_REG32_15);
  const auto write = DecodedAs<ExtensionHeader>("exthdr", {into_the_last, type, offset, length, operation});
  EXPECT_EQ(write.source, (Register{60}));
  EXPECT_EQ(write.destination, std::nullopt);
  EXPECT_EQ(DecodedAs<ExtensionHeader>("exthdr", {type}).operation, std::uint32_t{NFT_EXTHDR_OP_IPV6})
      << "the kernel's default";
  ExpectNeeds({"exthdr", {type}, {offset, length}});
  EXPECT_TRUE(
      IsNotUnderstood(Decoded("exthdr", {into_the_last, type, offset, Number32(NFTA_EXTHDR_LEN, 5)}), "exthdr"));
}

TEST(NftLoadsTest, WhatElseAPacketHasIsLoadedByKey) {
  const std::vector<Put> socket = {Number32(NFTA_SOCKET_DREG, NFT_REG_1),
                                   Number32(NFTA_SOCKET_KEY, NFT_SOCKET_CGROUPV2)};
  const Put level = Number32(NFTA_SOCKET_LEVEL, 2);
  const auto of_socket = DecodedAs<SocketLoad>("socket", {socket[0], socket[1], level});
  EXPECT_EQ(of_socket.key, std::uint32_t{NFT_SOCKET_CGROUPV2});
  EXPECT_EQ(of_socket.level, 2U);
  EXPECT_EQ(of_socket.destination, (Register{0}));
  ExpectNeeds({"socket", socket, {level}});

  EXPECT_EQ(DecodedAs<OsFingerprint>("osf", {Number32(NFTA_OSF_DREG, NFT_REG_4)}).destination, (Register{48}));
  ExpectNeeds({"osf", {Number32(NFTA_OSF_DREG, NFT_REG_4)}, {Number32(NFTA_OSF_FLAGS, 1)}});

  const std::vector<Put> tunnel = {Number32(NFTA_TUNNEL_DREG, NFT_REG_2), Number32(NFTA_TUNNEL_KEY, NFT_TUNNEL_ID)};
  const Put mode = Number32(NFTA_TUNNEL_MODE, NFT_TUNNEL_MODE_TX);
  const auto of_tunnel = DecodedAs<TunnelLoad>("tunnel", {tunnel[0], tunnel[1], mode});
  EXPECT_EQ(of_tunnel.key, std::uint32_t{NFT_TUNNEL_ID});
  EXPECT_EQ(of_tunnel.mode, std::uint32_t{NFT_TUNNEL_MODE_TX});
  EXPECT_EQ(of_tunnel.destination, (Register{16}));
  ExpectNeeds({"tunnel", tunnel, {mode}});

  const std::vector<Put> xfrm = {Number32(NFTA_XFRM_DREG, NFT_REG_3), Number32(NFTA_XFRM_KEY, NFT_XFRM_KEY_SPI)};
  const Put direction = Number8(NFTA_XFRM_DIR, 1);
  const Put number = Number32(NFTA_XFRM_SPNUM, 6);
  const auto of_policy = DecodedAs<XfrmLoad>("xfrm", {xfrm[0], xfrm[1], direction, number});
  EXPECT_EQ(of_policy.key, std::uint32_t{NFT_XFRM_KEY_SPI});
  EXPECT_EQ(of_policy.direction, 1U);
  EXPECT_EQ(of_policy.policy_number, 6U);
  EXPECT_EQ(of_policy.destination, (Register{32}));
  ExpectNeeds({"xfrm", xfrm, {direction, number}});
}

TEST(NftLoadsTest, OfWhatLooksInsideATunnelOnlyTheNameIsKept) {
  const auto inner =
      DecodedAs<Inner>("inner", {Number32(kInnerType, 1), Named(kInnerExpression, "payload", {Number32(1, 2)})});
  EXPECT_EQ(inner.type, 1U);
  EXPECT_EQ(inner.expression, "payload");
}

TEST(NftLoadsTest, ComparisonsHaveTheirValues) {
  const std::vector<Put> compare_parts = {Number32(NFTA_CMP_SREG, NFT_REG_1), Number32(NFTA_CMP_OP, NFT_CMP_GTE),
                                          Data(NFTA_CMP_DATA, Bytes({0, 80}))};
  const auto compare = DecodedAs<Compare>("cmp", compare_parts);
  EXPECT_EQ(compare.operation, std::uint32_t{NFT_CMP_GTE});
  EXPECT_EQ(compare.source, (Register{0}));
  EXPECT_EQ(compare.value, Bytes({0, 80}));
  ExpectNeeds({"cmp", compare_parts, {}});

  std::vector<Put> range_parts = {Number32(NFTA_RANGE_SREG, NFT_REG_2), Number32(NFTA_RANGE_OP, NFT_RANGE_NEQ),
                                  Data(NFTA_RANGE_FROM_DATA, Bytes({0, 80})), Data(NFTA_RANGE_TO_DATA, Bytes({0, 90}))};
  const auto range = DecodedAs<Range>("range", range_parts);
  EXPECT_EQ(range.operation, std::uint32_t{NFT_RANGE_NEQ});
  EXPECT_EQ(range.source, (Register{16}));
  EXPECT_EQ(range.from, Bytes({0, 80}));
  EXPECT_EQ(range.to, Bytes({0, 90}));
  ExpectNeeds({"range", range_parts, {}});
  range_parts.back() = Data(NFTA_RANGE_TO_DATA, Bytes({90}));
  EXPECT_TRUE(IsNotUnderstood(Decoded("range", range_parts), "range")) << "two ends of different lengths";
}

TEST(NftLoadsTest, ALookupIsInASetAMapOrAVerdictMap) {
  const Put set = Text(NFTA_LOOKUP_SET, "blocked");
  const Put source = Number32(NFTA_LOOKUP_SREG, NFT_REG_1);
  const auto plain = DecodedAs<Lookup>("lookup", {set, source, Number32(NFTA_LOOKUP_FLAGS, 0)});
  EXPECT_EQ(plain.set, "blocked");
  EXPECT_EQ(plain.source, (Register{0}));
  EXPECT_EQ(plain.destination, std::nullopt);
  EXPECT_FALSE(plain.verdict);
  EXPECT_FALSE(plain.inverted);
  EXPECT_TRUE(DecodedAs<Lookup>("lookup", {set, source, Number32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV)}).inverted);

  const auto map = DecodedAs<Lookup>("lookup", {set, source, Number32(NFTA_LOOKUP_DREG, NFT_REG_2)});
  EXPECT_EQ(map.destination, (Register{16}));
  EXPECT_FALSE(map.verdict);
  const auto verdict_map = DecodedAs<Lookup>("lookup", {set, source, Number32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT)});
  EXPECT_TRUE(verdict_map.verdict);
  EXPECT_EQ(verdict_map.destination, std::nullopt);
  EXPECT_TRUE(IsNotUnderstood(Decoded("lookup", {set, source, Number32(NFTA_LOOKUP_DREG, 77)}), "lookup"));
  ExpectNeeds({"lookup", {set, source}, {Number32(NFTA_LOOKUP_FLAGS, 0)}});
}

TEST(NftLoadsTest, ADynamicSetNamesWhatItsElementsCarry) {
  const Put set = Text(NFTA_DYNSET_SET_NAME, "learnt");
  const Put key = Number32(NFTA_DYNSET_SREG_KEY, NFT_REG_1);
  const Put limit = Named(NFTA_DYNSET_EXPR, "limit", {});
  const std::vector<Put> rest = {Number32(NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE),
                                 Number32(NFTA_DYNSET_SREG_DATA, NFT_REG_3), Number64(NFTA_DYNSET_TIMEOUT, 60'000),
                                 Number32(NFTA_DYNSET_FLAGS, NFT_DYNSET_F_INV | NFT_DYNSET_F_EXPR), limit};
  std::vector<Put> all = {set, key};
  all.insert(all.end(), rest.begin(), rest.end());
  const auto one = DecodedAs<DynamicSet>("dynset", all);
  EXPECT_EQ(one.set, "learnt");
  EXPECT_EQ(one.operation, std::uint32_t{NFT_DYNSET_OP_UPDATE});
  EXPECT_EQ(one.key, (Register{0}));
  EXPECT_EQ(one.data, (Register{32}));
  EXPECT_EQ(one.timeout_seconds, 60U);
  EXPECT_TRUE(one.inverted);
  EXPECT_THAT(one.expressions, ElementsAre("limit"));

  const Put several =
      Nest(NFTA_DYNSET_EXPRESSIONS, {Named(NFTA_LIST_ELEM, "counter", {}), Named(NFTA_LIST_ELEM, "quota", {})});
  const auto more = DecodedAs<DynamicSet>("dynset", {set, key, several});
  EXPECT_THAT(more.expressions, ElementsAre("counter", "quota"));
  EXPECT_EQ(more.data, std::nullopt);
  EXPECT_FALSE(more.inverted);
  EXPECT_EQ(more.connection_limit, std::nullopt);
  const Put count = Named(NFTA_DYNSET_EXPR, "connlimit",
                          {Number32(NFTA_CONNLIMIT_COUNT, 20), Number32(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV)});
  const auto counted = DecodedAs<DynamicSet>("dynset", {set, key, count});
  EXPECT_THAT(counted.expressions, ElementsAre("connlimit"));
  ASSERT_TRUE(counted.connection_limit);
  EXPECT_EQ(counted.connection_limit->count, 20U);
  EXPECT_TRUE(counted.connection_limit->inverted);
  const Put twice =
      Nest(NFTA_DYNSET_EXPRESSIONS, {Named(NFTA_LIST_ELEM, "connlimit", {}), Named(NFTA_LIST_ELEM, "connlimit", {})});
  EXPECT_FALSE(DecodedAs<DynamicSet>("dynset", {set, key, twice}).connection_limit) << "which of them?";

  const Put too_many =
      Nest(NFTA_DYNSET_EXPRESSIONS, std::vector<Put>(kMaxExpressions + 1, Named(NFTA_LIST_ELEM, "last", {})));
  EXPECT_THAT(DecodedAs<DynamicSet>("dynset", {set, key, too_many}).expressions, SizeIs(kMaxExpressions));
  ExpectNeeds({"dynset", {set, key}, rest});
}

}  // namespace
}  // namespace finwait::firewall::read
