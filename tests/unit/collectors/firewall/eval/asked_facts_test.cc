// What rules hang on beside the packet, and what is known of it: rulesets and facts put together by hand.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netfilter/xt_bpf.h>
#include <linux/netfilter/xt_cgroup.h>
#include <linux/netfilter/xt_connlimit.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_policy.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_socket.h>
#include <linux/netfilter/xt_u32.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/fact_query.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"

namespace finwait::firewall::eval {
namespace {

using facts::Fact;
using xt::InfoOf;

class AskedFactsTest : public testing::Test {
 protected:
  AskedFactsTest() {
    connection_.local = Endpoint::Parse("192.0.2.1:40000");
    connection_.peer = Endpoint::Parse("192.0.2.2:80");
    connection_.egress = Interface{"eth0", 2, 1, 0, ""};
    connection_.local_socket.timestamps = true;
  }

  Disposition Evaluate(const HandMadeTable& table, PacketKind kind = PacketKind::kFin) {
    return Evaluate(table.AsRuleset(), kind);
  }
  Disposition Evaluate(const Ruleset& ruleset, PacketKind kind = PacketKind::kFin) {
    facts::FactQuery query(store_);
    ChainEvaluator evaluator(ruleset, &query);
    PacketPathSettings settings;
    settings.early_demultiplexing = Tristate::kYes;
    return EvaluatePacket(evaluator, connection_, kind, settings).decision;
  }
  // What becomes of the FIN where a rule drops what `match` matches.
  Disposition DroppedBy(const XtMatch& match) {
    return Evaluate(
        HandMadeTable(Backend::kLegacy, TableFamily::kIpv4).Base("OUTPUT", Hook::kOutput, {{match, Drops()}}));
  }

  Connection connection_;
  facts::FactStore store_;
};

template <std::size_t N>
void PutText(char (&place)[N], const std::string& text) {
  std::strncpy(place, text.c_str(), N - 1);
}

TEST_F(AskedFactsTest, NobodyAtAQueueDropsAndBypassGoesOnToTheNextChain) {
  const auto with = [](std::uint16_t flags, std::uint16_t total) {
    return HandMadeTable()
        .Base("a", Hook::kOutput, {{Queue{5, total, flags, std::nullopt}}, {Drops()}})
        .Base("b", Hook::kOutput, {}, false, 10);
  };
  EXPECT_EQ(Evaluate(with(0, 1)), Disposition::kUnknown) << "nobody has told yet";
  store_.Put(facts::QueueListenerKey{5}, Fact::Present(false));
  store_.Put(facts::QueueListenerKey{6}, Fact::Present(true));
  EXPECT_EQ(Evaluate(with(0, 1)), Disposition::kDrop);
  EXPECT_EQ(Evaluate(with(NFT_QUEUE_FLAG_BYPASS, 1)), Disposition::kAccept);
  EXPECT_EQ(Evaluate(with(0, 2)), Disposition::kUnknown) << "somebody listens to one of two";
}

TEST_F(AskedFactsTest, TheRevisionsOfNfqueueSayWhetherItIsBypassed) {
  store_.Put(facts::QueueListenerKey{5}, Fact::Present(false));
  const auto with = [&](std::uint32_t revision, Value info) {
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                        .Base("OUTPUT", Hook::kOutput, {{XtTarget{"NFQUEUE", revision, std::move(info)}}}));
  };
  EXPECT_EQ(with(0, InfoOf(xt_NFQ_info{5})), Disposition::kDrop);
  EXPECT_EQ(with(1, InfoOf(xt_NFQ_info_v1{5, 1})), Disposition::kDrop);
  EXPECT_EQ(with(2, InfoOf(xt_NFQ_info_v2{5, 1, 1})), Disposition::kAccept);
  EXPECT_EQ(with(3, InfoOf(xt_NFQ_info_v3{5, 1, 0})), Disposition::kDrop);
  EXPECT_EQ(with(3, InfoOf(xt_NFQ_info_v3{5, 1, NFQ_FLAG_BYPASS})), Disposition::kAccept);
}

Fact RecentListOf(std::initializer_list<std::pair<const char*, facts::RecentEntry>> entries) {
  facts::RecentList list;
  for (const auto& [address, entry] : entries) {
    list.entries[*IpAddress::Parse(address)] = entry;
  }
  return Fact::Present(std::make_shared<const facts::RecentList>(std::move(list)));
}

TEST_F(AskedFactsTest, AListOfRecentAddressesIsAskedForTheMaskedAddress) {
  xt_recent_mtinfo_v1 info = {};
  info.check_set = XT_RECENT_CHECK;
  info.side = XT_RECENT_DEST;
  PutText(info.name, "bad");
  info.mask.all[0] = htonl(0xffffff00);
  const auto decide = [&] { return DroppedBy({"recent", 1, InfoOf(info)}); };
  const facts::RecentKey key{"bad"};
  EXPECT_EQ(decide(), Disposition::kUnknown);
  store_.Put(key, RecentListOf({}));
  EXPECT_EQ(decide(), Disposition::kAccept);
  store_.Put(key, RecentListOf({{"192.0.2.1", {64, 2}}}));
  EXPECT_EQ(decide(), Disposition::kAccept) << "the rule looks for 192.0.2.0";
  store_.Put(key, RecentListOf({{"192.0.2.0", {64, 2}}}));
  EXPECT_EQ(decide(), Disposition::kDrop);
  info.hit_count = 3;
  EXPECT_EQ(decide(), Disposition::kAccept) << "it has noted two";
  info.hit_count = 2;
  EXPECT_EQ(decide(), Disposition::kDrop);
  info.seconds = 60;
  EXPECT_EQ(decide(), Disposition::kUnknown) << "when they came is not told";
  info.invert = 1;
  info.seconds = 0;
  EXPECT_EQ(decide(), Disposition::kAccept);
}

TEST_F(AskedFactsTest, WhatOneRulePutsOnAListTheNextFindsThere) {
  xt_recent_mtinfo_v1 set = {};
  set.check_set = XT_RECENT_SET;
  set.side = XT_RECENT_DEST;
  PutText(set.name, "bad");
  std::memset(&set.mask, 0xff, sizeof set.mask);
  xt_recent_mtinfo_v1 check = set;
  check.check_set = XT_RECENT_UPDATE;
  check.seconds = 60;
  store_.Put(facts::RecentKey{"bad"}, RecentListOf({}));
  const auto decide = [&] {
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                        .Base("OUTPUT", Hook::kOutput,
                              {{XtMatch{"recent", 1, InfoOf(set)}}, {XtMatch{"recent", 1, InfoOf(check)}, Drops()}}));
  };
  EXPECT_EQ(decide(), Disposition::kDrop);
  check.hit_count = 4;
  EXPECT_EQ(decide(), Disposition::kAccept);
}

TEST_F(AskedFactsTest, AnEthernetAddressIsTheNeighboursWhoSentThePacket) {
  xt_mac_info info = {};
  info.srcaddr[5] = 0x77;
  const auto decide = [&] {
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                        .Base("INPUT", Hook::kInput, {{XtMatch{"mac", 0, InfoOf(info)}, Drops()}}),
                    PacketKind::kAck);
  };
  const facts::NeighbourKey key{2, connection_.peer->address};
  EXPECT_EQ(decide(), Disposition::kUnknown);
  store_.Put(key, Fact::Absent());
  EXPECT_EQ(decide(), Disposition::kUnknown) << "it came through a gateway";
  store_.Put(key, Fact::Present(facts::HardwareAddress{{0, 0, 0, 0, 0, 0x77}}));
  EXPECT_EQ(decide(), Disposition::kDrop);
  info.invert = 1;
  EXPECT_EQ(decide(), Disposition::kAccept);
  store_.Put(key, Fact::Present(facts::HardwareAddress{{0, 0, 0, 0, 0, 0x78}}));
  EXPECT_EQ(decide(), Disposition::kDrop);
}

TEST_F(AskedFactsTest, OnlyALimitFarAboveTheEntriesIsCertain) {
  xt_connlimit_info info = {};
  info.limit = 100;
  std::memset(&info.mask, 0xff, sizeof info.mask);
  const auto decide = [&] { return DroppedBy({"connlimit", 1, InfoOf(info)}); };
  EXPECT_EQ(decide(), Disposition::kUnknown);
  store_.Put(facts::EntryCountKey{}, Fact::Present(std::uint64_t{30}));
  EXPECT_EQ(decide(), Disposition::kAccept);
  info.flags = XT_CONNLIMIT_INVERT;
  EXPECT_EQ(decide(), Disposition::kDrop);
  info.flags = 0;
  store_.Put(facts::EntryCountKey{}, Fact::Present(std::uint64_t{90}));
  EXPECT_EQ(decide(), Disposition::kUnknown);
  store_.Put(facts::EntryCountKey{connection_.local->address}, Fact::Present(std::uint64_t{3}));
  EXPECT_EQ(decide(), Disposition::kAccept) << "its source has opened three";
  info.flags = XT_CONNLIMIT_DADDR;
  EXPECT_EQ(decide(), Disposition::kUnknown);
}

TEST_F(AskedFactsTest, ACountOfConnectionsOfNftIsOfAllThatReachTheRule) {
  const auto with = [&](bool inverted) {
    return Evaluate(HandMadeTable().Base("o", Hook::kOutput, {{ConnectionLimit{100, inverted}, Drops()}}));
  };
  store_.Put(facts::EntryCountKey{}, Fact::Present(std::uint64_t{3}));
  EXPECT_EQ(with(true), Disposition::kAccept) << "ct count over 100";
  EXPECT_EQ(with(false), Disposition::kDrop) << "ct count 100";
}

TEST_F(AskedFactsTest, WithoutPoliciesOnlyPolicyNoneMatches) {
  xt_policy_info info = {};
  info.flags = XT_POLICY_MATCH_OUT;
  const auto decide = [&] { return DroppedBy({"policy", 0, InfoOf(info)}); };
  EXPECT_EQ(decide(), Disposition::kUnknown);
  store_.Put(facts::IpsecPoliciesKey{}, Fact::Present(false));
  EXPECT_EQ(decide(), Disposition::kAccept);
  info.flags |= XT_POLICY_MATCH_NONE;
  EXPECT_EQ(decide(), Disposition::kDrop);
  store_.Put(facts::IpsecPoliciesKey{}, Fact::Present(true));
  EXPECT_EQ(decide(), Disposition::kUnknown);
}

TEST_F(AskedFactsTest, ARuleForAControlGroupMatchesThoseWithinIt) {
  connection_.local_socket.control_group = 9;
  const auto by_path = [&](const std::string& path) {
    xt_cgroup_info_v2 info = {};
    info.has_path = 1;
    PutText(info.path, path);
    return DroppedBy({"cgroup", 2, InfoOf(info)});
  };
  EXPECT_EQ(by_path("system.slice"), Disposition::kUnknown);
  store_.Put(facts::ControlGroupKey{9},
             Fact::Present(std::shared_ptr<const facts::ControlGroup>(
                 std::make_shared<facts::ControlGroup>(facts::ControlGroup{"/system.slice/a.service", {1, 4, 9}}))));
  EXPECT_EQ(by_path("system.slice"), Disposition::kDrop);
  EXPECT_EQ(by_path("/system.slice/a.service/"), Disposition::kDrop);
  EXPECT_EQ(by_path("system"), Disposition::kAccept);
  EXPECT_EQ(by_path("/"), Disposition::kDrop);
  const auto by_level = [&](std::uint32_t level) {
    const SocketLoad load{NFT_SOCKET_CGROUPV2, level, Register{0}};
    const Compare four{NFT_CMP_EQ, Register{0}, ValueOf({4, 0, 0, 0, 0, 0, 0, 0})};
    return Evaluate(HandMadeTable().Base("o", Hook::kOutput, {{load, four, Drops()}}));
  };
  EXPECT_EQ(by_level(1), Disposition::kDrop);
  EXPECT_EQ(by_level(2), Disposition::kAccept);
  EXPECT_EQ(by_level(3), Disposition::kAccept) << "it stands no deeper than at level 2";
}

TEST_F(AskedFactsTest, AClassIsTheOneToldOrNone) {
  xt_cgroup_info_v0 info = {};
  info.id = 77;
  const auto decide = [&] { return DroppedBy({"cgroup", 0, InfoOf(info)}); };
  EXPECT_EQ(decide(), Disposition::kUnknown);
  connection_.local_socket.class_or_priority = 0;
  EXPECT_EQ(decide(), Disposition::kAccept);
  connection_.local_socket.class_or_priority = 6;
  EXPECT_EQ(decide(), Disposition::kAccept);
  connection_.local_socket.class_or_priority = 77;
  EXPECT_EQ(decide(), Disposition::kUnknown) << "it may be the priority";
}

TEST_F(AskedFactsTest, TheMarkOfASocketCanBeRestoredToItsPackets) {
  xt_socket_mtinfo3 info = {};
  info.flags = XT_SOCKET_RESTORESKMARK;
  connection_.local_socket.mark = 7;
  const MetaLoad mark{NFT_META_MARK, Register{0}};
  const Compare seven{NFT_CMP_EQ, Register{0}, ValueOf({7, 0, 0, 0})};
  const HandMadeTable table = HandMadeTable()
                                  .Base("p", Hook::kPrerouting, {{XtMatch{"socket", 3, InfoOf(info)}}})
                                  .Base("i", Hook::kInput, {{mark, seven, Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kDrop);
  connection_.local_socket.mark = 8;
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kAccept);
}

TEST_F(AskedFactsTest, U32ReadsTheBytesThatAreKnown) {
  const auto with = [&](std::uint32_t mask, std::uint32_t first, std::uint32_t last, bool inverted = false) {
    xt_u32 info = {};
    info.ntests = 1;
    info.invert = inverted ? 1 : 0;
    xt_u32_test& test = info.tests[0];  // "0>>22&0x3C@12>>16&MASK=FIRST:LAST": from the TCP header's flags on
    const xt_u32_location_element steps[] = {{0, 0},          {22, XT_U32_RIGHTSH}, {0x3c, XT_U32_AND},
                                             {12, XT_U32_AT}, {16, XT_U32_RIGHTSH}, {mask, XT_U32_AND}};
    std::copy(std::begin(steps), std::end(steps), std::begin(test.location));
    test.nnums = std::size(steps);
    test.value[0] = {first, last};
    test.nvalues = 1;
    return DroppedBy({"u32", 0, InfoOf(info)});
  };
  EXPECT_EQ(with(0x1, 1, 1), Disposition::kDrop) << "the flag FIN";
  EXPECT_EQ(with(0x1, 1, 1, true), Disposition::kAccept);
  EXPECT_EQ(with(0x4, 4, 4), Disposition::kAccept) << "the flag RST";
  EXPECT_EQ(with(0xff, 0, 0x20), Disposition::kDrop);
  EXPECT_EQ(with(0xfff7, 0x8011, 0x8011), Disposition::kUnknown) << "who knows the reserved bits";
}

TEST_F(AskedFactsTest, AProgramOfClassicBpfIsRun) {
  const auto with = [&](std::vector<sock_filter> program) {
    xt_bpf_info_v1 info = {};
    info.mode = XT_BPF_MODE_BYTECODE;
    info.bpf_program_num_elem = static_cast<std::uint16_t>(program.size());
    std::copy(program.begin(), program.end(), std::begin(info.bpf_program));
    return DroppedBy({"bpf", 1, InfoOf(info)});
  };
  const auto by_flag = [&](std::uint32_t flag) {  // nfbpf_compile RAW 'tcp[13] & FLAG != 0'
    return with({BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 6),
                 BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
                 BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
                 BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1), BPF_STMT(BPF_RET | BPF_K, 65535),
                 BPF_STMT(BPF_RET | BPF_K, 0)});
  };
  EXPECT_EQ(by_flag(0x01), Disposition::kDrop);
  EXPECT_EQ(by_flag(0x04), Disposition::kAccept);
  EXPECT_EQ(with({BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 52, 0, 1),
                  BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)}),
            Disposition::kDrop)
      << "a FIN with timestamps";
  EXPECT_EQ(with({BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1),
                  BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)}),
            Disposition::kUnknown)
      << "the identification";
  EXPECT_EQ(with({BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 60), BPF_STMT(BPF_RET | BPF_K, 1)}), Disposition::kAccept)
      << "beyond the packet's end";
}

TEST_F(AskedFactsTest, AnAnswerThatIsLostMayBeLongerTheNextTime) {
  const MetaLoad length{NFT_META_LEN, Register{0}};
  const auto drop = [&](unsigned bytes) {
    const Compare equal{NFT_CMP_EQ, Register{0}, ValueOf({bytes, 0, 0, 0})};
    return Evaluate(HandMadeTable().Base("i", Hook::kInput, {{length, equal, Drops()}}), PacketKind::kAck);
  };
  EXPECT_EQ(drop(52), Disposition::kUnknown);
  EXPECT_EQ(drop(64), Disposition::kAccept);
}

TEST_F(AskedFactsTest, WhatTheFinPutsIntoASetItsAnswerMeets) {
  Set set;
  set.name = "s";
  set.key_length = 4;
  set.dynamic = true;
  const DynamicSet add{"s", NFT_DYNSET_OP_ADD, Register{0}, std::nullopt, 0, false, {}};
  const HandMadeTable table =
      HandMadeTable()
          .Holds(set)
          .Base("o", Hook::kOutput, {{PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Register{0}}, add}})
          .Base("i", Hook::kInput,
                {{PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, Register{0}},
                  Lookup{"s", Register{0}, std::nullopt, false, false}, Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kDrop);
}

// Tables, each with one chain of priority 0 at the output hook.
Ruleset InTables(const std::vector<std::pair<std::vector<Expression>, bool>>& chains) {
  Ruleset ruleset;
  for (const auto& [expressions, made_with_table] : chains) {
    Table table = HandMadeTable().Base("o", Hook::kOutput, {expressions}).AsRuleset().tables.front();
    table.name = "t" + std::to_string(ruleset.tables.size());
    auto chain = std::make_shared<Chain>(*table.chains.at("o"));
    chain->handle = 1;
    chain->base->made_with_table = made_with_table;
    table.chains["o"] = chain;
    ruleset.tables.push_back(table);
  }
  return ruleset;
}

TEST_F(AskedFactsTest, TheNewestOfChainsOfOnePriorityRunsFirst) {
  const std::vector<Expression> marks = {Immediate{Register{0}, ValueOf({1, 0, 0, 0})},
                                         MetaSet{NFT_META_MARK, Register{0}}};
  const std::vector<Expression> drops = {MetaLoad{NFT_META_MARK, Register{0}},
                                         Compare{NFT_CMP_EQ, Register{0}, ValueOf({1, 0, 0, 0})}, Drops()};
  EXPECT_EQ(Evaluate(InTables({{marks, true}, {drops, true}})), Disposition::kAccept);
  EXPECT_EQ(Evaluate(InTables({{drops, true}, {marks, true}})), Disposition::kDrop);
  EXPECT_EQ(Evaluate(InTables({{drops, false}, {marks, true}})), Disposition::kUnknown)
      << "a chain that its table got later may be the newest of all";
  EXPECT_EQ(Evaluate(InTables({{drops, true}, {marks, false}})), Disposition::kDrop)
      << "whenever the newer table got its chain, the other one was there";
  EXPECT_EQ(Evaluate(InTables({{marks, false}, {drops, true}, {drops, true}})), Disposition::kUnknown);
  EXPECT_EQ(Evaluate(InTables({{marks, false}, {{Drops()}, true}})), Disposition::kDrop) << "in either order";
}

TEST_F(AskedFactsTest, OfTwoChainsThatDropNoneIsNamedUnlessOneIsNewer) {
  const auto named = [&](bool made_with_table) {
    const Ruleset ruleset = InTables({{{Drops()}, made_with_table}, {{Drops()}, true}});
    ChainEvaluator evaluator(ruleset);
    const TraversalResult result = EvaluatePacket(evaluator, connection_, PacketKind::kFin, {});
    EXPECT_EQ(result.decision, Disposition::kDrop);
    return result.location ? result.location->table : result.reason;
  };
  EXPECT_EQ(named(true), "t1");
  EXPECT_THAT(named(false), testing::HasSubstr("one of several rules drops it"));
}

}  // namespace
}  // namespace finwait::firewall::eval
