// What rules ask of conntrack's entry of a packet that has one: rulesets and entries put together by hand.
#include <gtest/gtest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_connlabel.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_helper.h>

#include <memory>
#include <utility>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/fact_query.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"

namespace finwait::firewall::eval {
namespace {

using facts::Fact;
using xt::InfoOf;

class EntryFactsTest : public testing::Test {
 protected:
  EntryFactsTest() {
    connection_.local = Endpoint::Parse("192.0.2.1:40000");
    connection_.peer = Endpoint::Parse("192.0.2.2:80");
    connection_.egress = Interface{"eth0", 2, 1, 0, ""};
    entry_.original = {*connection_.local, *connection_.peer, 0};
    entry_.reply = {*connection_.peer, *connection_.local, 0};
    entry_.is_original = true;
    entry_.status = IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED;
    entry_.mark = 0x104;
  }

  void Know(std::uint16_t zone = 0) {
    store_ = facts::FactStore();
    store_.Put(KeyOf(true, zone), Fact::Present(std::make_shared<const facts::ConnectionEntry>(entry_)));
    facts::ConnectionEntry of_peer = entry_;
    of_peer.is_original = !entry_.is_original;
    store_.Put(KeyOf(false, zone), Fact::Present(std::make_shared<const facts::ConnectionEntry>(of_peer)));
  }
  facts::EntryKey KeyOf(bool own, std::uint16_t zone = 0) const {
    return own ? facts::EntryKey{*connection_.local, *connection_.peer, zone}
               : facts::EntryKey{*connection_.peer, *connection_.local, zone};
  }

  Disposition Evaluate(const HandMadeTable& table, PacketKind kind = PacketKind::kFin) {
    const Ruleset ruleset = table.AsRuleset();
    facts::FactQuery query(store_);
    ChainEvaluator evaluator(ruleset, &query);
    const Disposition disposition = EvaluateTrackedPacket(evaluator, connection_, kind, {}).disposition;
    needs_ = query.TakeNeeds();
    return disposition;
  }
  Disposition DroppedBy(const XtMatch& match) {
    return Evaluate(
        HandMadeTable(Backend::kLegacy, TableFamily::kIpv4).Base("OUTPUT", Hook::kOutput, {{match, Drops()}}));
  }
  // What becomes of a packet where nft drops what has `value` there.
  Disposition DroppedWith(std::uint32_t key, const Value& value, std::optional<std::uint8_t> direction = {},
                          PacketKind kind = PacketKind::kFin) {
    return Evaluate(
        HandMadeTable().Base("c", IsOutgoing(kind) ? Hook::kOutput : Hook::kInput,
                             {{CtLoad{key, direction, Register{0}}, Compare{NFT_CMP_EQ, Register{0}, value}, Drops()}}),
        kind);
  }

  Connection connection_;
  facts::ConnectionEntry entry_;
  facts::FactStore store_;
  facts::Needs needs_;
};

TEST_F(EntryFactsTest, AnEntryIsAskedForByWhatThePacketIsSentWith) {
  EXPECT_EQ(DroppedWith(NFT_CT_STATUS, ValueOf({14, 0, 0, 0})), Disposition::kUnknown);
  EXPECT_EQ(needs_, facts::Needs{KeyOf(true)});
  EXPECT_EQ(DroppedWith(NFT_CT_STATUS, ValueOf({14, 0, 0, 0}), {}, PacketKind::kPeerFin), Disposition::kUnknown);
  EXPECT_EQ(needs_, facts::Needs{KeyOf(false)});
  EXPECT_EQ(DroppedWith(NFT_CT_STATE, ValueOf({8, 0, 0, 0})), Disposition::kAccept);
  EXPECT_TRUE(needs_.empty()) << "the state is known without";
}

TEST_F(EntryFactsTest, NftLoadsWhatTheEntryHolds) {
  entry_.labels = std::array<std::uint8_t, 16>{};
  (*entry_.labels)[1] = 2;
  entry_.timeout_after_fin = 120;
  entry_.zone = 0;
  Know();
  EXPECT_EQ(DroppedWith(NFT_CT_STATUS, ValueOf({14, 0, 0, 0})), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_STATUS, ValueOf({10, 0, 0, 0})), Disposition::kAccept);
  EXPECT_EQ(DroppedWith(NFT_CT_MARK, ValueOf({4, 1, 0, 0})), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_MARK, ValueOf({5, 1, 0, 0})), Disposition::kAccept);
  EXPECT_EQ(DroppedWith(NFT_CT_DIRECTION, ValueOf({0})), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_DIRECTION, ValueOf({1})), Disposition::kAccept);
  EXPECT_EQ(DroppedWith(NFT_CT_DIRECTION, ValueOf({1}), {}, PacketKind::kPeerFin), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_SRC_IP, ValueOf({192, 0, 2, 1}), 0), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_SRC_IP, ValueOf({192, 0, 2, 1}), 1), Disposition::kAccept);
  EXPECT_EQ(DroppedWith(NFT_CT_PROTO_DST, ValueOf({0, 80}), 0), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_PROTO_SRC, ValueOf({0, 80}), 1), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_PROTO_SRC, ValueOf({0, 80}), 0), Disposition::kAccept);
  EXPECT_EQ(DroppedWith(NFT_CT_ZONE, ValueOf({0, 0})), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_LABELS, ValueOf({0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})), Disposition::kDrop);
  EXPECT_EQ(DroppedWith(NFT_CT_EXPIRATION, ValueOf({0xc0, 0xd4, 1, 0})), Disposition::kDrop) << "120,000 ms";
  EXPECT_EQ(DroppedWith(NFT_CT_EXPIRATION, ValueOf({0xc0, 0xd4, 1, 0}), {}, PacketKind::kAck), Disposition::kUnknown)
      << "an ACK gives it another timeout";
  EXPECT_EQ(DroppedWith(NFT_CT_HELPER, Value(16, std::byte{0})), Disposition::kAccept) << "it has no master";
  entry_.expected = true;
  Know();
  EXPECT_EQ(DroppedWith(NFT_CT_HELPER, Value(16, std::byte{0})), Disposition::kUnknown);
}

TEST_F(EntryFactsTest, WhatIsNoLongerThereStaysUnknown) {
  store_.Put(KeyOf(true), Fact::Absent());
  EXPECT_EQ(DroppedWith(NFT_CT_MARK, ValueOf({4, 1, 0, 0})), Disposition::kUnknown);
  EXPECT_EQ(DroppedWith(NFT_CT_DIRECTION, ValueOf({0})), Disposition::kUnknown);
}

TEST_F(EntryFactsTest, AMarkThatIsNotKnownIsTheSameToAllRules) {
  const auto is_mark = [](std::uint32_t operation) {
    return std::vector<Expression>{CtLoad{NFT_CT_MARK, {}, Register{0}},
                                   Compare{operation, Register{0}, ValueOf({4, 0, 0, 0})}, Drops()};
  };
  EXPECT_EQ(Evaluate(HandMadeTable().Base("c", Hook::kOutput, {is_mark(NFT_CMP_EQ), is_mark(NFT_CMP_NEQ)})),
            Disposition::kDrop);
}

TEST_F(EntryFactsTest, ConntracksMatchesAskTheEntry) {
  entry_.labels = std::array<std::uint8_t, 16>{};
  (*entry_.labels)[1] = 2;
  entry_.timeout_after_fin = 120;
  entry_.status |= IPS_DST_NAT;
  Know();
  xt_connmark_mtinfo1 mark = {.mark = 4, .mask = 0xff, .invert = 0};
  EXPECT_EQ(DroppedBy({"connmark", 1, InfoOf(mark)}), Disposition::kDrop);
  mark.invert = 1;
  EXPECT_EQ(DroppedBy({"connmark", 1, InfoOf(mark)}), Disposition::kAccept);
  const auto conntrack = [&](std::uint16_t flags, std::uint16_t inverted, auto fill) {
    xt_conntrack_mtinfo3 info = {};
    info.match_flags = flags;
    info.invert_flags = inverted;
    fill(info);
    return DroppedBy({"conntrack", 3, InfoOf(info)});
  };
  const auto nothing = [](xt_conntrack_mtinfo3&) {};
  EXPECT_EQ(conntrack(XT_CONNTRACK_DIRECTION, 0, nothing), Disposition::kDrop);
  EXPECT_EQ(conntrack(XT_CONNTRACK_DIRECTION, XT_CONNTRACK_DIRECTION, nothing), Disposition::kAccept);
  const auto status = [](std::uint16_t mask) {
    return [mask](xt_conntrack_mtinfo3& info) { info.status_mask = mask; };
  };
  EXPECT_EQ(conntrack(XT_CONNTRACK_STATUS, 0, status(IPS_ASSURED)), Disposition::kDrop);
  EXPECT_EQ(conntrack(XT_CONNTRACK_STATUS, 0, status(IPS_EXPECTED)), Disposition::kAccept);
  EXPECT_EQ(
      conntrack(XT_CONNTRACK_STATE, 0, [](xt_conntrack_mtinfo3& info) { info.state_mask = XT_CONNTRACK_STATE_DNAT; }),
      Disposition::kDrop);
  EXPECT_EQ(
      conntrack(XT_CONNTRACK_STATE, 0, [](xt_conntrack_mtinfo3& info) { info.state_mask = XT_CONNTRACK_STATE_SNAT; }),
      Disposition::kAccept);
  const auto port = [](std::uint16_t from) {
    return [from](xt_conntrack_mtinfo3& info) {
      info.origdst_port = from;
      info.origdst_port_high = 90;
    };
  };
  EXPECT_EQ(conntrack(XT_CONNTRACK_ORIGDST_PORT, 0, port(80)), Disposition::kDrop);
  EXPECT_EQ(conntrack(XT_CONNTRACK_ORIGDST_PORT, 0, port(81)), Disposition::kAccept);
  const auto expires = [](std::uint32_t least) {
    return [least](xt_conntrack_mtinfo3& info) {
      info.expires_min = least;
      info.expires_max = 130;
    };
  };
  EXPECT_EQ(conntrack(XT_CONNTRACK_EXPIRES, 0, expires(100)), Disposition::kDrop);
  EXPECT_EQ(conntrack(XT_CONNTRACK_EXPIRES, 0, expires(121)), Disposition::kAccept);
  xt_connlabel_mtinfo label = {};
  label.bit = 9;
  EXPECT_EQ(DroppedBy({"connlabel", 0, InfoOf(label)}), Disposition::kDrop);
  label.bit = 8;
  EXPECT_EQ(DroppedBy({"connlabel", 0, InfoOf(label)}), Disposition::kAccept);
  EXPECT_EQ(DroppedBy({"helper", 0, InfoOf(xt_helper_info{})}), Disposition::kAccept);
}

TEST_F(EntryFactsTest, AMarkOfTheEntryIsRestoredToThePacketAndMayBeSetAnew) {
  xt_connmark_tginfo1 info = {.ctmark = 0, .ctmask = UINT32_MAX, .nfmask = UINT32_MAX, .mode = XT_CONNMARK_RESTORE};
  const auto with = [&](unsigned mark) {
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                        .Base("OUTPUT", Hook::kOutput,
                              {{XtTarget{"CONNMARK", 1, InfoOf(info)}},
                               {info.mode == XT_CONNMARK_RESTORE ? Expression(MetaLoad{NFT_META_MARK, Register{0}})
                                                                 : Expression(CtLoad{NFT_CT_MARK, {}, Register{0}}),
                                Compare{NFT_CMP_EQ, Register{0}, ValueOf({mark, 1, 0, 0})}, Drops()}}));
  };
  EXPECT_EQ(with(4), Disposition::kUnknown);
  Know();
  EXPECT_EQ(with(4), Disposition::kDrop);
  EXPECT_EQ(with(5), Disposition::kAccept);
  info = {.ctmark = 0x105, .ctmask = UINT32_MAX, .nfmask = 0, .mode = XT_CONNMARK_SET};
  store_ = facts::FactStore();
  EXPECT_EQ(with(5), Disposition::kDrop);
  EXPECT_TRUE(needs_.empty()) << "whatever the entry had is overwritten";
}

// What the kernel does with a connection that is older than rules which give its packets a zone.
TEST_F(EntryFactsTest, APacketIsLookedUpInTheZoneThatRulesGiveIt) {
  xt_ct_target_info_v1 info = {};
  info.zone = 5;
  const auto fin = [&] {
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                        .Base("raw", Hook::kOutput, {{XtTarget{"CT", 2, InfoOf(info)}}}, false, -300)
                        .Base("OUTPUT", Hook::kOutput,
                              {{CtLoad{NFT_CT_STATE, {}, Register{0}},
                                Compare{NFT_CMP_EQ, Register{0}, ValueOf({1, 0, 0, 0})}, Drops()}}));
  };
  EXPECT_EQ(fin(), Disposition::kUnknown);
  EXPECT_EQ(needs_, facts::Needs{KeyOf(true, 5)});
  store_.Put(KeyOf(true, 5), Fact::Absent());
  EXPECT_EQ(fin(), Disposition::kDrop) << "INVALID";
  Know(5);
  EXPECT_EQ(fin(), Disposition::kAccept);
  info.zone = 0;
  store_ = facts::FactStore();
  EXPECT_EQ(fin(), Disposition::kAccept) << "a template for another reason";
}

}  // namespace
}  // namespace finwait::firewall::eval
