#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "tests/unit/collectors/firewall/read/nft_bytes.h"

// Every kind of expression that limits, counts, acts or ends a rule, each field with a number of its own.
namespace finwait::firewall::read {
namespace {

TEST(NftStatementsTest, ALimitHasARateABurstAndAKind) {
  const auto limit = DecodedAs<Limit>(
      "limit", {Number64(NFTA_LIMIT_RATE, 5), Number64(NFTA_LIMIT_UNIT, 3600), Number32(NFTA_LIMIT_BURST, 7),
                Number32(NFTA_LIMIT_TYPE, NFT_LIMIT_PKT_BYTES), Number32(NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV)});
  EXPECT_EQ(limit.rate, 5U);
  EXPECT_EQ(limit.unit_seconds, 3600U);
  EXPECT_EQ(limit.burst, 7U);
  EXPECT_EQ(limit.type, std::uint32_t{NFT_LIMIT_PKT_BYTES});
  EXPECT_TRUE(limit.inverted);
  const auto until = DecodedAs<Limit>("limit", {Number64(NFTA_LIMIT_RATE, 5), Number32(NFTA_LIMIT_FLAGS, 0)});
  EXPECT_EQ(until.type, std::uint32_t{NFT_LIMIT_PKTS});
  EXPECT_FALSE(until.inverted);
}

TEST(NftStatementsTest, AQuotaTellsWhatIsUsedOfIt) {
  const auto quota = DecodedAs<Quota>("quota", {Number64(NFTA_QUOTA_BYTES, 1000), Number64(NFTA_QUOTA_CONSUMED, 30),
                                                Number32(NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV | NFT_QUOTA_F_DEPLETED)});
  EXPECT_EQ(quota.bytes, 1000U);
  EXPECT_EQ(quota.consumed, 30U);
  EXPECT_TRUE(quota.inverted);
  EXPECT_FALSE(DecodedAs<Quota>("quota", {Number32(NFTA_QUOTA_FLAGS, NFT_QUOTA_F_DEPLETED)}).inverted);
}

TEST(NftStatementsTest, AConnectionLimitHasACount) {
  const auto over = DecodedAs<ConnectionLimit>(
      "connlimit", {Number32(NFTA_CONNLIMIT_COUNT, 20), Number32(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV)});
  EXPECT_EQ(over.count, 20U);
  EXPECT_TRUE(over.inverted);
  EXPECT_FALSE(DecodedAs<ConnectionLimit>("connlimit", {Number32(NFTA_CONNLIMIT_COUNT, 20)}).inverted);
}

TEST(NftStatementsTest, ACounterNeedsBothItsNumbers) {
  EXPECT_EQ(DecodedAs<Counter>("counter", {Number64(NFTA_COUNTER_BYTES, 300), Number64(NFTA_COUNTER_PACKETS, 4)}),
            (Counter{4, 300}));
  ExpectNeeds({"counter", {Number64(NFTA_COUNTER_BYTES, 300), Number64(NFTA_COUNTER_PACKETS, 4)}, {}});
}

TEST(NftStatementsTest, ALogIsOfALevelOrOfAGroup) {
  const auto syslog =
      DecodedAs<Log>("log", {Text(NFTA_LOG_PREFIX, "seen "), Number32(NFTA_LOG_LEVEL, 4), Number32(NFTA_LOG_FLAGS, 3)});
  EXPECT_EQ(syslog.prefix, "seen ");
  EXPECT_EQ(syslog.level, 4U);
  EXPECT_EQ(syslog.flags, 3U);
  EXPECT_EQ(syslog.group, std::nullopt);
  const auto to_group = DecodedAs<Log>("log", {Number16(NFTA_LOG_GROUP, 2)});
  EXPECT_EQ(to_group.group, 2);
  EXPECT_EQ(to_group.level, std::nullopt);
  EXPECT_EQ(to_group.prefix, "");
}

TEST(NftStatementsTest, ARejectHasATypeAndACode) {
  const auto reject = DecodedAs<Reject>(
      "reject", {Number32(NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH), Number8(NFTA_REJECT_ICMP_CODE, 3)});
  EXPECT_EQ(reject.type, std::uint32_t{NFT_REJECT_ICMPX_UNREACH});
  EXPECT_EQ(reject.icmp_code, 3);
  ExpectNeeds({"reject", {Number32(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST)}, {Number8(NFTA_REJECT_ICMP_CODE, 3)}});
}

TEST(NftStatementsTest, AQueueIsANumberOrComesFromARegister) {
  const auto queue = DecodedAs<Queue>("queue", {Number16(NFTA_QUEUE_NUM, 5), Number16(NFTA_QUEUE_TOTAL, 4),
                                                Number16(NFTA_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS)});
  EXPECT_EQ(queue.number, 5);
  EXPECT_EQ(queue.total, 4);
  EXPECT_EQ(queue.flags, NFT_QUEUE_FLAG_BYPASS);
  EXPECT_EQ(queue.number_source, std::nullopt);
  EXPECT_EQ(DecodedAs<Queue>("queue", {Number32(NFTA_QUEUE_SREG_QNUM, NFT_REG_2)}).number_source, (Register{16}));
}

TEST(NftStatementsTest, NatHasWhereItsAddressesAndPortsAre) {
  const Put type = Number32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
  const std::vector<Put> rest = {Number32(NFTA_NAT_FAMILY, 2),
                                 Number32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1),
                                 Number32(NFTA_NAT_REG_ADDR_MAX, NFT_REG_2),
                                 Number32(NFTA_NAT_REG_PROTO_MIN, NFT_REG_3),
                                 Number32(NFTA_NAT_REG_PROTO_MAX, NFT_REG_4),
                                 Number32(NFTA_NAT_FLAGS, NF_NAT_RANGE_PROTO_RANDOM)};
  std::vector<Put> all = {type};
  all.insert(all.end(), rest.begin(), rest.end());
  const auto nat = DecodedAs<Nat>("nat", all);
  EXPECT_EQ(nat.type, std::uint32_t{NFT_NAT_DNAT});
  EXPECT_EQ(nat.family, 2U);
  EXPECT_EQ(nat.address_min, (Register{0}));
  EXPECT_EQ(nat.address_max, (Register{16}));
  EXPECT_EQ(nat.port_min, (Register{32}));
  EXPECT_EQ(nat.port_max, (Register{48}));
  EXPECT_EQ(nat.flags, std::uint32_t{NF_NAT_RANGE_PROTO_RANDOM});
  ExpectNeeds({"nat", {type}, rest});
}

TEST(NftStatementsTest, MasqueradeAndRedirectHaveFlagsAndPorts) {
  const auto masquerade = DecodedAs<Masquerade>(
      "masq", {Number32(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PERSISTENT), Number32(NFTA_MASQ_REG_PROTO_MIN, NFT_REG_1),
               Number32(NFTA_MASQ_REG_PROTO_MAX, NFT_REG_2)});
  EXPECT_EQ(masquerade.flags, std::uint32_t{NF_NAT_RANGE_PERSISTENT});
  EXPECT_EQ(masquerade.port_min, (Register{0}));
  EXPECT_EQ(masquerade.port_max, (Register{16}));
  EXPECT_EQ(DecodedAs<Masquerade>("masq", {}).port_min, std::nullopt);

  const auto redirect = DecodedAs<Redirect>(
      "redir", {Number32(NFTA_REDIR_REG_PROTO_MIN, NFT_REG_3), Number32(NFTA_REDIR_REG_PROTO_MAX, NFT_REG_4),
                Number32(NFTA_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED)});
  EXPECT_EQ(redirect.flags, std::uint32_t{NF_NAT_RANGE_PROTO_SPECIFIED});
  EXPECT_EQ(redirect.port_min, (Register{32}));
  EXPECT_EQ(redirect.port_max, (Register{48}));
}

TEST(NftStatementsTest, ProxiesHaveTheirEndsAndOptions) {
  const auto tproxy =
      DecodedAs<Tproxy>("tproxy", {Number32(NFTA_TPROXY_FAMILY, 10), Number32(NFTA_TPROXY_REG_ADDR, NFT_REG_1),
                                   Number32(NFTA_TPROXY_REG_PORT, NFT_REG_2)});
  EXPECT_EQ(tproxy.family, 10U);
  EXPECT_EQ(tproxy.address, (Register{0}));
  EXPECT_EQ(tproxy.port, (Register{16}));
  const auto synproxy = DecodedAs<Synproxy>(
      "synproxy",
      {Number16(NFTA_SYNPROXY_MSS, 1460), Number8(NFTA_SYNPROXY_WSCALE, 7), Number32(NFTA_SYNPROXY_FLAGS, 3)});
  EXPECT_EQ(synproxy.mss, 1460);
  EXPECT_EQ(synproxy.window_scale, 7);
  EXPECT_EQ(synproxy.flags, 3U);
}

TEST(NftStatementsTest, WhatSendsPacketsElsewhereSaysWhere) {
  const auto copy =
      DecodedAs<Duplicate>("dup", {Number32(NFTA_DUP_SREG_ADDR, NFT_REG_1), Number32(NFTA_DUP_SREG_DEV, NFT_REG_2)});
  EXPECT_EQ(copy.address, (Register{0}));
  EXPECT_EQ(copy.device, (Register{16}));
  const auto forward =
      DecodedAs<Forward>("fwd", {Number32(NFTA_FWD_SREG_DEV, NFT_REG_3), Number32(NFTA_FWD_SREG_ADDR, NFT_REG_4)});
  EXPECT_EQ(forward.device, (Register{32}));
  EXPECT_EQ(forward.address, (Register{48}));
  EXPECT_EQ(DecodedAs<FlowOffload>("flow_offload", {Text(NFTA_FLOW_TABLE_NAME, "fast")}).flowtable, "fast");
}

TEST(NftStatementsTest, AnObjectIsNamedOrFoundInAMap) {
  const Put type = Number32(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_QUOTA);
  const Put name = Text(NFTA_OBJREF_IMM_NAME, "monthly");
  const auto named = DecodedAs<ObjectReference>("objref", {type, name});
  EXPECT_EQ(named.type, std::uint32_t{NFT_OBJECT_QUOTA});
  EXPECT_EQ(named.name, "monthly");
  ExpectNeeds({"objref", {type, name}, {}});
  const Put source = Number32(NFTA_OBJREF_SET_SREG, NFT_REG_2);
  const Put set = Text(NFTA_OBJREF_SET_NAME, "by_port");
  const auto mapped = DecodedAs<ObjectMapReference>("objref", {source, set});
  EXPECT_EQ(mapped.set, "by_port");
  EXPECT_EQ(mapped.source, (Register{16}));
  ExpectNeeds({"objref", {source, set}, {}});
}

TEST(NftStatementsTest, AnExtensionKeepsNameRevisionAndBytes) {
  const Put name = Text(NFTA_MATCH_NAME, "conntrack");
  const Put revision = Number32(NFTA_MATCH_REV, 3);
  const Put info = Raw(NFTA_MATCH_INFO, Bytes({1, 2, 3, 4}));
  const auto match = DecodedAs<XtMatch>("match", {name, revision, info});
  EXPECT_EQ(match.name, "conntrack");
  EXPECT_EQ(match.revision, 3U);
  EXPECT_EQ(match.info, Bytes({1, 2, 3, 4}));
  ExpectNeeds({"match", {name, revision}, {info}});
  const auto target = DecodedAs<XtTarget>(
      "target", {Text(NFTA_TARGET_NAME, "MARK"), Number32(NFTA_TARGET_REV, 2), Raw(NFTA_TARGET_INFO, Bytes({9}))});
  EXPECT_EQ(target.name, "MARK");
  EXPECT_EQ(target.revision, 2U);
  EXPECT_EQ(target.info, Bytes({9}));
  EXPECT_TRUE(IsNotUnderstood(Decoded("target", {Text(NFTA_TARGET_NAME, std::string(33, 'x')), revision}), "target"));
}

TEST(NftStatementsTest, SomeHaveNothingToTell) {
  EXPECT_TRUE(std::holds_alternative<Last>(Decoded("last", {Number32(NFTA_LAST_SET, 1)})));
  EXPECT_TRUE(std::holds_alternative<Notrack>(Decoded("notrack", {})));
}

}  // namespace
}  // namespace finwait::firewall::read
