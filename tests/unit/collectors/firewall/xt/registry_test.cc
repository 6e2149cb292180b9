// What must hold of every extension, and what one of a name must be where two tables once disagreed.
#include "collectors/firewall/xt/registry.h"

#include <gmock/gmock.h>
#include <linux/netfilter/xt_CHECKSUM.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_set.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/collectors/firewall/xt/info.h"

namespace finwait::firewall::xt {
namespace {

class NoFacts : public FactLookup {
 public:
  Tristate HasQuota(const std::string&) override { return Tristate::kUnknown; }
  const facts::Ipset* FindIpset(std::uint16_t) override { return nullptr; }
  Tristate IsInIpset(const facts::IpsetElementKey&) override { return Tristate::kUnknown; }
};

NoFacts no_facts;

// Structures of extensions: absent, all zeros, all ones.
const std::vector<Value>& Infos() {
  static const std::vector<Value> infos = {Value(), Value(512, std::byte{0}), Value(512, std::byte{0xff})};
  return infos;
}

std::vector<Packet> Packets() {
  std::vector<Packet> packets;
  for (const IpFamily family : kIpFamilies) {
    for (const packet::PacketKind kind : {packet::PacketKind::kFin, packet::PacketKind::kData}) {
      for (const PacketTracking tracking : {PacketTracking::kNoEntry, PacketTracking::kNew}) {
        packets.push_back(MakePacket(packet::RepresentativeFlow(family), kind));
        packets.back().tracking = tracking;
      }
    }
  }
  return packets;
}

// Calls `visit(target, known, packet before, packet after, effect)` for each target with each structure and packet.
template <typename Visit>
void ForEachUse(Visit&& visit) {
  for (const Target* known : BuiltIn().Targets()) {
    for (const Value& info : Infos()) {
      const XtTarget target{std::string(known->name), known->revisions.first, info};
      for (const Packet& before : Packets()) {
        Packet after = before;
        const Effect effect = BuiltIn().Apply(target, after, HookContext(), no_facts);
        visit(target, before, after, effect);
      }
    }
  }
}

TEST(ExtensionRegistryTest, NoTwoExtensionsShareANameAndARevision) {
  std::set<std::pair<std::string_view, std::uint32_t>> seen;
  for (const Match* match : BuiltIn().Matches()) {
    EXPECT_TRUE(seen.emplace(match->name, match->revisions.first).second) << match->name;
  }
  for (const Target* target : BuiltIn().Targets()) {
    EXPECT_TRUE(seen.emplace(target->name, target->revisions.first).second) << target->name;
  }
}

TEST(ExtensionRegistryTest, EveryExtensionIsFoundByItsNameAndRevisions) {
  for (const Match* match : BuiltIn().Matches()) {
    const std::string name(match->name);
    EXPECT_EQ(BuiltIn().Find(XtMatch{name, match->revisions.first, {}}), match);
    EXPECT_EQ(BuiltIn().Find(XtMatch{name, match->revisions.last, {}}), match);
  }
  EXPECT_EQ(BuiltIn().Find(XtMatch{"conntrack", 0, {}}), nullptr);
  EXPECT_EQ(BuiltIn().Find(XtMatch{"conntrack", 4, {}}), nullptr);
  EXPECT_EQ(BuiltIn().Find(XtTarget{"conntrack", 1, {}}), nullptr);
}

TEST(ExtensionRegistryTest, AMatchWithoutAMeaningSaysWhatItHangsOn) {
  for (const Match* match : BuiltIn().Matches()) {
    EXPECT_TRUE(match->conditions != nullptr || !match->traits.unknowable_because.empty()) << match->name;
  }
}

TEST(ExtensionRegistryTest, AnyStructureOfAnyMatchIsSurvived) {
  NoFacts facts;
  for (const Match* known : BuiltIn().Matches()) {
    for (std::uint32_t revision = known->revisions.first; revision <= std::min(known->revisions.last, 4U); ++revision) {
      for (const Value& info : Infos()) {
        const XtMatch match{std::string(known->name), revision, info};
        for (const Packet& packet : Packets()) {
          (void)BuiltIn().ConditionsOf(match, packet, HookContext(), facts);
        }
        EXPECT_THAT(BuiltIn().TextOf(match, true), testing::StartsWith("-m "));
      }
    }
  }
}

TEST(ExtensionRegistryTest, ATargetThatChangesNothingLeavesThePacketAsItWas) {
  ForEachUse([](const XtTarget& target, const Packet& before, const Packet& after, const Effect& effect) {
    if (!BuiltIn().TraitsOf(target).changes_packet) {
      EXPECT_TRUE(after.SameAs(before)) << target.name;
      EXPECT_NE(effect.kind, Effect::Kind::kTranslate) << target.name;
      EXPECT_NE(effect.kind, Effect::Kind::kQueue) << target.name;
    }
  });
}

TEST(ExtensionRegistryTest, OnlyATerminalTargetEndsTheRuleForEveryPacket) {
  std::set<std::string> goes_on;
  ForEachUse([&](const XtTarget& target, const Packet&, const Packet&, const Effect& effect) {
    if (effect.kind == Effect::Kind::kNext) {
      goes_on.insert(target.name);
    }
  });
  for (const Target* target : BuiltIn().Targets()) {
    EXPECT_EQ(target->traits.terminal, goes_on.count(std::string(target->name)) == 0) << target->name;
  }
}

// hook_traversal's list of targets that keep the packet had 7 names and rule_machine's 14.
TEST(ExtensionRegistryTest, AccountingTargetsKeepThePacket) {
  for (const char* name : {"AUDIT", "CHECKSUM", "CONNSECMARK", "IDLETIMER", "LED", "LOG", "NFLOG", "RATEEST", "REJECT",
                           "SECMARK", "TCPMSS", "TEE", "TRACE"}) {
    EXPECT_FALSE(BuiltIn().TraitsOf(XtTarget{name, 0, {}}).changes_packet) << name;
  }
}

// One list called it a target that keeps the packet; the other one changed the priority.
TEST(ExtensionRegistryTest, ClassifyChangesThePriority) {
  EXPECT_TRUE(BuiltIn().TraitsOf(XtTarget{"CLASSIFY", 0, {}}).changes_packet);
  Packet packet = Packets().front();
  packet.priority = AbstractNumber<4>::Known(0);
  BuiltIn().Apply(XtTarget{"CLASSIFY", 0, {}}, packet, HookContext(), no_facts);
  EXPECT_EQ(packet.priority, AbstractNumber<4>::Unknown());
}

// The evaluator's copy of the structure had no shift: what it took for the mode was the direction of the shift.
TEST(ExtensionRegistryTest, ConnmarkOfRevision2RestoresTheMark) {
  const XtTarget restore{"CONNMARK", 2,
                         InfoOf(xt_connmark_tginfo2{.ctmark = 0,
                                                    .ctmask = 0xff,
                                                    .nfmask = 0xffffffff,
                                                    .shift_dir = 0,
                                                    .shift_bits = 0,
                                                    .mode = XT_CONNMARK_RESTORE})};
  Packet packet = Packets().front();
  packet.tracking = PacketTracking::kNew;
  packet.mark = AbstractNumber<4>::Known(1);
  packet.connection_mark = AbstractNumber<4>::Known(0x105);
  BuiltIn().Apply(restore, packet, HookContext(), no_facts);
  EXPECT_EQ(packet.mark, AbstractNumber<4>::Known(5));
  EXPECT_EQ(packet.connection_mark, AbstractNumber<4>::Known(0x105));
  EXPECT_EQ(BuiltIn().TextOf(restore, false), "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xff");
}

TEST(ExtensionRegistryTest, ConnmarkSavesTheMarkInEitherRevision) {
  const xt_connmark_tginfo1 first = {.ctmark = 0, .ctmask = 0xf0, .nfmask = 0xff, .mode = XT_CONNMARK_SAVE};
  const xt_connmark_tginfo2 second = {
      .ctmark = 0, .ctmask = 0xf0, .nfmask = 0xff, .shift_dir = 0, .shift_bits = 0, .mode = XT_CONNMARK_SAVE};
  for (const XtTarget& save : {XtTarget{"CONNMARK", 1, InfoOf(first)}, XtTarget{"CONNMARK", 2, InfoOf(second)}}) {
    Packet packet = Packets().front();
    packet.tracking = PacketTracking::kNew;
    packet.mark = AbstractNumber<4>::Known(0x120);
    packet.connection_mark = AbstractNumber<4>::Known(0x1f1);
    BuiltIn().Apply(save, packet, HookContext(), no_facts);
    EXPECT_EQ(packet.connection_mark, AbstractNumber<4>::Known(0x121)) << save.revision;  // (0x1f1 & ~0xf0) ^ 0x20
    EXPECT_EQ(packet.mark, AbstractNumber<4>::Known(0x120)) << save.revision;
  }
}

// set_target_v3(): --map-set gives the packet what an element of the set carries. A later match of a set that the
// packet itself was added to sees what the packet did.
TEST(ExtensionRegistryTest, SetChangesThePacketWithAMapOrASet) {
  xt_set_info_target_v3 info = {};
  info.add_set.index = info.del_set.index = info.map_set.index = IPSET_INVALID_ID;
  const XtTarget nothing{"SET", 3, InfoOf(info)};
  info.add_set.index = 3;
  const XtTarget adds{"SET", 3, InfoOf(info)};
  info.map_set.index = 4;
  info.flags = IPSET_FLAG_MAP_SKBMARK;
  const XtTarget maps{"SET", 3, InfoOf(info)};
  EXPECT_FALSE(BuiltIn().TraitsOf(nothing).changes_packet);
  EXPECT_TRUE(BuiltIn().TraitsOf(adds).changes_packet);
  EXPECT_TRUE(BuiltIn().TraitsOf(maps).changes_packet);
  Packet packet = Packets().front();
  packet.mark = AbstractNumber<4>::Known(0);
  BuiltIn().Apply(adds, packet, HookContext(), no_facts);
  EXPECT_EQ(packet.mark, AbstractNumber<4>::Known(0));
  BuiltIn().Apply(maps, packet, HookContext(), no_facts);
  EXPECT_EQ(packet.mark, AbstractNumber<4>::Unknown());
}

TEST(ExtensionRegistryTest, CtNeedsConntrackUnlessItOnlySwitchesTrackingOff) {
  xt_ct_target_info info = {};
  EXPECT_TRUE(BuiltIn().TraitsOf(XtTarget{"CT", 0, InfoOf(info)}).needs_conntrack);
  info.flags = XT_CT_NOTRACK;
  EXPECT_FALSE(BuiltIn().TraitsOf(XtTarget{"CT", 0, InfoOf(info)}).needs_conntrack);
  EXPECT_TRUE(BuiltIn().TraitsOf(XtTarget{"CT", 0, {}}).needs_conntrack);  // unreadable
}

TEST(ExtensionRegistryTest, NotrackIsPrintedAsItWasWritten) {
  xt_ct_target_info info = {};
  info.flags = XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS;
  EXPECT_EQ(BuiltIn().TextOf(XtTarget{"CT", 1, InfoOf(info)}, false), "-j NOTRACK");
  info.flags = XT_CT_NOTRACK;
  EXPECT_EQ(BuiltIn().TextOf(XtTarget{"CT", 1, InfoOf(info)}, false), "-j CT --notrack");
}

TEST(ExtensionRegistryTest, BothRevisionsOfAddrtypeArePrinted) {
  const xt_addrtype_info older = {.source = 0, .dest = XT_ADDRTYPE_LOCAL, .invert_source = 0, .invert_dest = 1};
  const xt_addrtype_info_v1 newer = {.source = 0, .dest = XT_ADDRTYPE_LOCAL, .flags = XT_ADDRTYPE_INVERT_DEST};
  EXPECT_EQ(BuiltIn().TextOf(XtMatch{"addrtype", 0, InfoOf(older)}, false), "-m addrtype ! --dst-type LOCAL");
  EXPECT_EQ(BuiltIn().TextOf(XtMatch{"addrtype", 1, InfoOf(newer)}, false), "-m addrtype ! --dst-type LOCAL");
}

TEST(ExtensionRegistryTest, ChecksumIsPrinted) {
  EXPECT_EQ(BuiltIn().TextOf(XtTarget{"CHECKSUM", 0, InfoOf(xt_CHECKSUM_info{XT_CHECKSUM_OP_FILL})}, false),
            "-j CHECKSUM --checksum-fill");
}

TEST(ExtensionRegistryTest, WhatIsNotKnownIsNamedAndMayDoAnything) {
  const XtTarget target{"WARP", 0, Value(4, std::byte{1})};
  EXPECT_EQ(BuiltIn().TextOf(target, false), "-j WARP [...]");
  EXPECT_TRUE(BuiltIn().TraitsOf(target).changes_packet);
  Packet packet = Packets().front();
  const Effect effect = BuiltIn().Apply(target, packet, HookContext(), no_facts);
  EXPECT_EQ(effect.kind, Effect::Kind::kUnknown);
  EXPECT_EQ(effect.because, "the target WARP");
}

}  // namespace
}  // namespace finwait::firewall::xt
