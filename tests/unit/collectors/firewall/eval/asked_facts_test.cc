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
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter/xt_socket.h>
#include <linux/netfilter/xt_time.h>
#include <linux/netfilter/xt_u32.h>
#include <linux/xfrm.h>

#include <cstring>
#include <memory>
#include <optional>
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
    return EvaluatePacket(evaluator, connection_, kind, settings).disposition;
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
  info.flags = XT_POLICY_MATCH_OUT;
  const facts::IpsecPoliciesKey its_own{connection_.local, connection_.peer};
  store_.Put(its_own, Fact::Present(true));
  EXPECT_EQ(decide(), Disposition::kUnknown) << "one may be for it, whether or not there is a state";
}

TEST_F(AskedFactsTest, AFrameIntoABridgeGoesToTheNextHopsAddress) {
  connection_.egress = Interface{"br0", 2, 1, 0, "bridge"};
  connection_.next_hop = IpAddress::Parse("192.0.2.254");
  const auto to = [&](unsigned last_byte) {
    const PayloadLoad destination{NFT_PAYLOAD_LL_HEADER, 0, 6, Register{0}};
    const Compare equal{NFT_CMP_EQ, Register{0}, ValueOf({2, 0, 0, 0, 0, last_byte})};
    return Evaluate(
        HandMadeTable(Backend::kNft, TableFamily::kBridge).Base("o", Hook::kOutput, {{destination, equal, Drops()}}));
  };
  EXPECT_EQ(to(7), Disposition::kUnknown);
  store_.Put(facts::NeighbourKey{2, *connection_.next_hop}, Fact::Present(facts::HardwareAddress{{2, 0, 0, 0, 0, 7}}));
  EXPECT_EQ(to(7), Disposition::kDrop);
  EXPECT_EQ(to(8), Disposition::kAccept);
  const PayloadWrite elsewhere{NFT_PAYLOAD_LL_HEADER, 0, 6, Register{0}};
  EXPECT_EQ(Evaluate(HandMadeTable(Backend::kNft, TableFamily::kBridge).Base("o", Hook::kOutput, {{elsewhere}})),
            Disposition::kUnknown);
  connection_.next_hop.reset();
  EXPECT_EQ(to(7), Disposition::kUnknown) << "its route is not known";
}

TEST_F(AskedFactsTest, PoliciesForOthersAreNotForThisConnection) {
  store_.Put(facts::IpsecPoliciesKey{}, Fact::Present(true));
  store_.Put(facts::IpsecPoliciesKey{connection_.local, connection_.peer}, Fact::Present(false));
  xt_policy_info info = {};
  info.flags = XT_POLICY_MATCH_OUT;
  EXPECT_EQ(DroppedBy({"policy", 0, InfoOf(info)}), Disposition::kAccept);
  info.flags |= XT_POLICY_MATCH_NONE;
  EXPECT_EQ(DroppedBy({"policy", 0, InfoOf(info)}), Disposition::kDrop);
  const auto native = [&](const Expression& load, std::vector<Expression> before = {}) {
    before.insert(before.end(), {load, Compare{NFT_CMP_EQ, Register{0}, ValueOf({1})}, Drops()});
    return Evaluate(HandMadeTable().Base("o", Hook::kOutput, {before}));
  };
  const RouteLoad transformed{NFT_RT_XFRM, Register{0}};
  EXPECT_EQ(native(transformed), Disposition::kAccept);
  EXPECT_EQ(native(MetaLoad{NFT_META_SECPATH, Register{0}}), Disposition::kAccept);
  EXPECT_EQ(native(XfrmLoad{NFT_XFRM_KEY_REQID, XFRM_POLICY_OUT, 0, Register{0}}), Disposition::kAccept);
  EXPECT_EQ(native(transformed, {Immediate{Register{0}, ValueOf({192, 0, 2, 9})},
                                 PayloadWrite{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Register{0}}}),
            Disposition::kUnknown)
      << "it was routed to another address";
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLocal);
  EXPECT_EQ(native(transformed), Disposition::kUnknown) << "policies are for some connections";
}

// The time of a clock that was read then, in a time zone so many minutes west.
Fact ClockAt(std::int64_t seconds, std::optional<std::int32_t> minutes_west = 0) {
  return Fact::Present(facts::Clock{seconds, minutes_west});
}
constexpr std::int64_t kHour = 3600;
// A Wednesday, 00:00 UTC.
constexpr std::int64_t kMidnight = 1'793'145'600;

xt_time_info AnyTime() {
  xt_time_info info = {};
  info.date_stop = UINT32_MAX;
  info.daytime_stop = XT_TIME_MAX_DAYTIME;
  info.monthdays_match = XT_TIME_ALL_MONTHDAYS;
  info.weekdays_match = XT_TIME_ALL_WEEKDAYS;
  return info;
}

TEST_F(AskedFactsTest, ARuleForATimeIsKnownUntilTheTimeChangesItsAnswer) {
  xt_time_info info = AnyTime();
  info.daytime_start = 8 * kHour;
  info.daytime_stop = 17 * kHour;
  const auto at = [&](std::int64_t seconds, std::optional<std::int32_t> minutes_west = 0) {
    store_.Put(facts::ClockKey{}, ClockAt(seconds, minutes_west));
    return DroppedBy({"time", 0, InfoOf(info)});
  };
  EXPECT_EQ(DroppedBy({"time", 0, InfoOf(info)}), Disposition::kUnknown) << "nobody has told the time";
  EXPECT_EQ(at(kMidnight + 12 * kHour), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 6 * kHour), Disposition::kAccept);
  EXPECT_EQ(at(kMidnight + 8 * kHour), Disposition::kUnknown) << "the kernel's clock may be a second behind";
  EXPECT_EQ(at(kMidnight + 8 * kHour + 1), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 8 * kHour - facts::Clock::kLasts - 1), Disposition::kAccept);
  EXPECT_EQ(at(kMidnight + 8 * kHour - facts::Clock::kLasts), Disposition::kUnknown);
  EXPECT_EQ(at(kMidnight + 17 * kHour - facts::Clock::kLasts), Disposition::kDrop) << "the last second counts";
  EXPECT_EQ(at(kMidnight + 17 * kHour - facts::Clock::kLasts + 1), Disposition::kUnknown);
  // Within the time that an answer is for, and over before it ends.
  info.daytime_start = 8 * kHour;
  info.daytime_stop = 8 * kHour + 5;
  EXPECT_EQ(at(kMidnight + 8 * kHour - 30), Disposition::kUnknown);
  info.daytime_stop = 17 * kHour;
  info.flags = XT_TIME_LOCAL_TZ;
  EXPECT_EQ(at(kMidnight + 12 * kHour, std::nullopt), Disposition::kUnknown);
  EXPECT_EQ(at(kMidnight + 12 * kHour, 0), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 12 * kHour, 300), Disposition::kAccept) << "there it is seven o'clock";
  EXPECT_EQ(at(kMidnight + 6 * kHour, -180), Disposition::kDrop) << "and there nine";
}

TEST_F(AskedFactsTest, ADayOfARuleMayLastBeyondMidnight) {
  xt_time_info info = AnyTime();
  info.daytime_start = 22 * kHour;
  info.daytime_stop = 2 * kHour;
  info.weekdays_match = 1U << 3;  // Wednesday
  const auto at = [&](std::int64_t seconds) {
    store_.Put(facts::ClockKey{}, ClockAt(seconds));
    return DroppedBy({"time", 0, InfoOf(info)});
  };
  EXPECT_EQ(at(kMidnight + 1 * kHour), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 12 * kHour), Disposition::kAccept);
  EXPECT_EQ(at(kMidnight + 23 * kHour), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 25 * kHour), Disposition::kAccept);
  EXPECT_EQ(at(kMidnight + 24 * kHour - 10), Disposition::kUnknown);
  info.flags = XT_TIME_CONTIGUOUS;
  EXPECT_EQ(at(kMidnight + 1 * kHour), Disposition::kAccept) << "it began on Tuesday";
  EXPECT_EQ(at(kMidnight + 24 * kHour - 10), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 25 * kHour), Disposition::kDrop);
  EXPECT_EQ(at(kMidnight + 27 * kHour), Disposition::kAccept);
}

TEST_F(AskedFactsTest, DatesAndDaysOfTheMonthAreThoseOfTheCalendar) {
  xt_time_info info = AnyTime();
  const auto decide = [&] { return DroppedBy({"time", 0, InfoOf(info)}); };
  store_.Put(facts::ClockKey{}, ClockAt(kMidnight + 12 * kHour));
  EXPECT_EQ(decide(), Disposition::kDrop);
  info.monthdays_match = 1U << 28;  // 2026-10-28
  EXPECT_EQ(decide(), Disposition::kDrop);
  info.monthdays_match = ~(1U << 28);
  EXPECT_EQ(decide(), Disposition::kAccept);
  info = AnyTime();
  info.date_start = static_cast<std::uint32_t>(kMidnight + 13 * kHour);
  EXPECT_EQ(decide(), Disposition::kAccept);
  info.date_start = static_cast<std::uint32_t>(kMidnight + 12 * kHour + 30);
  EXPECT_EQ(decide(), Disposition::kUnknown);
  info.date_start = 0;
  info.date_stop = static_cast<std::uint32_t>(kMidnight + 11 * kHour);
  EXPECT_EQ(decide(), Disposition::kAccept);
  info.date_stop = static_cast<std::uint32_t>(kMidnight + 12 * kHour + 30);
  EXPECT_EQ(decide(), Disposition::kUnknown);
}

TEST_F(AskedFactsTest, NftablesComparesTheTimeAsANumber) {
  const auto bytes = [](std::uint64_t number, int size) {
    Value value;
    for (int i = size; i-- > 0;) {
      value.push_back(static_cast<std::byte>(number >> (8 * i)));
    }
    return value;
  };
  const auto between = [&](std::uint32_t key, std::uint64_t from, std::uint64_t to, int size) {
    const Register reg{0};
    const auto width = static_cast<std::uint32_t>(size);
    return Evaluate(HandMadeTable().Base(
        "o", Hook::kOutput,
        {{MetaLoad{key, reg}, ByteOrder{NFT_BYTEORDER_HTON, reg, reg, width, width},
          Compare{NFT_CMP_GTE, reg, bytes(from, size)}, Compare{NFT_CMP_LTE, reg, bytes(to, size)}, Drops()}}));
  };
  const auto hour = [&](std::int64_t from, std::int64_t to) {
    return between(NFT_META_TIME_HOUR, static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to), 4);
  };
  EXPECT_EQ(hour(0, 24 * kHour - 1), Disposition::kUnknown) << "nobody has told the time";
  store_.Put(facts::ClockKey{}, ClockAt(kMidnight + 12 * kHour, 300));
  EXPECT_EQ(hour(8 * kHour, 17 * kHour), Disposition::kDrop) << "in UTC, whatever the kernel's time zone";
  EXPECT_EQ(hour(0, 8 * kHour), Disposition::kAccept);
  EXPECT_EQ(hour(12 * kHour + 30, 24 * kHour - 1), Disposition::kUnknown);
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const auto now = static_cast<std::uint64_t>(kMidnight + 12 * kHour) * kSecond;
  EXPECT_EQ(between(NFT_META_TIME_NS, 0, now + 1000 * kSecond, 8), Disposition::kDrop);
  EXPECT_EQ(between(NFT_META_TIME_NS, now + 1000 * kSecond, UINT64_MAX, 8), Disposition::kAccept);
  EXPECT_EQ(between(NFT_META_TIME_NS, now + 30 * kSecond, UINT64_MAX, 8), Disposition::kUnknown);
  const auto day = [&](std::uint64_t weekday) { return between(NFT_META_TIME_DAY, weekday, weekday, 1); };
  EXPECT_EQ(day(3), Disposition::kDrop);
  EXPECT_EQ(day(4), Disposition::kAccept);
  store_.Put(facts::ClockKey{}, ClockAt(kMidnight + 2 * kHour, 300));
  EXPECT_EQ(day(3), Disposition::kAccept);
  EXPECT_EQ(day(2), Disposition::kDrop) << "in the kernel's time zone it is still Tuesday";
  store_.Put(facts::ClockKey{}, ClockAt(kMidnight - 10, 0));
  EXPECT_EQ(day(2), Disposition::kUnknown);
  EXPECT_EQ(day(3), Disposition::kUnknown);
  EXPECT_EQ(day(4), Disposition::kAccept);
  EXPECT_EQ(hour(1 * kHour, 23 * kHour), Disposition::kAccept) << "just before midnight, and just after";
}

TEST_F(AskedFactsTest, WhatAnIpsetCountsIsKnownFarFromALimit) {
  store_.Put(facts::IpsetKey{3}, Fact::Present(std::shared_ptr<const facts::Ipset>(std::make_shared<facts::Ipset>(
                                     facts::Ipset{"s", "hash:ip", IpFamily::kIpv4, {}}))));
  facts::IpsetElementKey element;
  element.set = "s";
  element.address = connection_.peer->address;
  store_.Put(element, Fact::Present(true));
  const auto counted = [&](std::uint8_t operation, std::uint64_t packets) {
    xt_set_info_match_v4 info = {};
    info.match_set = {3, 1, 0};
    info.packets.op = operation;
    info.packets.value = packets;
    return DroppedBy({"set", 4, InfoOf(info)});
  };
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 10), Disposition::kUnknown) << "nobody has told";
  store_.Put(facts::IpsetExtensionsKey{element}, Fact::Present(facts::IpsetExtensions{true, 50, 5000}));
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 10), Disposition::kDrop);
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 50), Disposition::kUnknown) << "this packet may be the one";
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 1199), Disposition::kUnknown);
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 1200), Disposition::kAccept);
  EXPECT_EQ(counted(IPSET_COUNTER_LT, 50), Disposition::kAccept);
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 0), Disposition::kDrop);
  EXPECT_EQ(counted(IPSET_COUNTER_LT, 51), Disposition::kUnknown);
  EXPECT_EQ(counted(IPSET_COUNTER_LT, 1200), Disposition::kDrop);
  EXPECT_EQ(counted(IPSET_COUNTER_EQ, 49), Disposition::kAccept);
  EXPECT_EQ(counted(IPSET_COUNTER_EQ, 60), Disposition::kUnknown);
  EXPECT_EQ(counted(IPSET_COUNTER_NE, 49), Disposition::kDrop);
  store_.Put(facts::IpsetExtensionsKey{element}, Fact::Present(facts::IpsetExtensions{true, 0, 0}));
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 0), Disposition::kUnknown) << "this packet is the first";
  store_.Put(facts::IpsetExtensionsKey{element}, Fact::Present(facts::IpsetExtensions{false, 0, 0}));
  EXPECT_EQ(counted(IPSET_COUNTER_GT, 10), Disposition::kDrop) << "a set without counters is not asked for them";
}

TEST_F(AskedFactsTest, WhatARulePutsIntoAnIpsetIsThereForTheNext) {
  const auto is = [&](const std::string& type) {
    store_.Put(facts::IpsetKey{3}, Fact::Present(std::shared_ptr<const facts::Ipset>(
                                       std::make_shared<facts::Ipset>(facts::Ipset{"s", type, IpFamily::kIpv4, {}}))));
  };
  const xt_set_info none = {IPSET_INVALID_ID, 0, 0};
  const auto changed_by = [](const xt_set_info& add, const xt_set_info& del) {
    xt_set_info_target_v2 info = {};
    info.add_set = add;
    info.del_set = del;
    return XtTarget{"SET", 2, InfoOf(info)};
  };
  const auto asked = [](const xt_set_info& set) {
    xt_set_info_match_v1 info = {};
    info.match_set = set;
    return XtMatch{"set", 1, InfoOf(info)};
  };
  const auto decide = [&](const XtTarget& change, const xt_set_info& set) {
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                        .Base("OUTPUT", Hook::kOutput, {{change}, {asked(set), Drops()}}));
  };
  const xt_set_info peer = {3, 1, 0};
  const xt_set_info own = {3, 1, IPSET_DIM_ONE_SRC};
  is("hash:ip");
  facts::IpsetElementKey element;
  element.set = "s";
  element.address = connection_.peer->address;
  EXPECT_EQ(decide(changed_by(peer, none), peer), Disposition::kUnknown) << "nobody has told whether it has room";
  store_.Put(facts::IpsetRoomKey{"s"}, Fact::Present(false));
  EXPECT_EQ(decide(changed_by(peer, none), peer), Disposition::kUnknown) << "it may be full";
  store_.Put(element, Fact::Present(true));
  EXPECT_EQ(decide(changed_by(peer, none), peer), Disposition::kDrop) << "it was there";
  EXPECT_EQ(decide(changed_by(none, peer), peer), Disposition::kAccept) << "it was, and is no more";
  store_.Put(element, Fact::Present(false));
  store_.Put(facts::IpsetRoomKey{"s"}, Fact::Present(true));
  EXPECT_EQ(decide(changed_by(peer, none), peer), Disposition::kDrop);
  EXPECT_EQ(decide(changed_by(peer, peer), peer), Disposition::kAccept) << "put in, then taken out";
  EXPECT_EQ(decide(changed_by(own, none), peer), Disposition::kUnknown) << "of one network it would be one element";
  is("hash:ip,port");
  const xt_set_info to_peer = {3, 2, 0};
  const xt_set_info to_own_port = {3, 2, IPSET_DIM_TWO_SRC};
  element.port = connection_.peer->port;
  store_.Put(element, Fact::Present(false));
  EXPECT_EQ(decide(changed_by(to_peer, none), to_peer), Disposition::kDrop);
  EXPECT_EQ(decide(changed_by(to_own_port, none), to_peer), Disposition::kAccept) << "another port";
  EXPECT_EQ(decide(changed_by(peer, none), to_peer), Disposition::kAccept) << "the rule says too little: refused";
  for (const char* type : {"hash:net", "hash:ip,mark", "bitmap:ip"}) {
    is(type);
    EXPECT_EQ(decide(changed_by(to_peer, none), to_peer), Disposition::kUnknown) << type;
  }
}

// An ipset that maps the peer's address to a mark and a priority.
class IpsetMapTest : public AskedFactsTest {
 protected:
  IpsetMapTest() {
    Is("hash:ip");
    element_.set = "s";
    element_.address = connection_.peer->address;
  }
  void Is(const std::string& type) {
    store_.Put(facts::IpsetKey{3}, Fact::Present(std::shared_ptr<const facts::Ipset>(
                                       std::make_shared<facts::Ipset>(facts::Ipset{"s", type, IpFamily::kIpv4, {}}))));
  }
  void Has(const facts::IpsetExtensions& extensions) {
    store_.Put(element_, Fact::Present(true));
    store_.Put(facts::IpsetExtensionsKey{element_}, Fact::Present(extensions));
  }
  static XtTarget MapTarget(std::uint32_t flags, const xt_set_info& set = {3, 1, 0}, std::uint16_t added = 65535) {
    xt_set_info_target_v3 info = {};
    info.add_set = {added, 1, 0};
    info.del_set = {IPSET_INVALID_ID, 0, 0};
    info.map_set = set;
    info.flags = flags;
    return {"SET", 3, InfoOf(info)};
  }
  // What becomes of the FIN, whose mark is 0x102, where a rule drops that mark once `target` was applied.
  Disposition WithMark(const XtTarget& target, std::uint8_t lowest, std::uint8_t next) {
    const Immediate mark{Register{0}, ValueOf({2, 1, 0, 0})};
    return Evaluate(HandMadeTable().Base("o", Hook::kOutput,
                                         {{mark, MetaSet{NFT_META_MARK, Register{0}}},
                                          {target},
                                          {MetaLoad{NFT_META_MARK, Register{0}},
                                           Compare{NFT_CMP_EQ, Register{0}, ValueOf({lowest, next, 0, 0})}, Drops()}}));
  }
  Disposition WithPriority(const XtTarget& target, std::uint8_t priority) {
    return Evaluate(HandMadeTable().Base("o", Hook::kOutput,
                                         {{target},
                                          {MetaLoad{NFT_META_PRIORITY, Register{0}},
                                           Compare{NFT_CMP_EQ, Register{0}, ValueOf({priority, 0, 0, 0})}, Drops()}}));
  }

  facts::IpsetElementKey element_;
};

TEST_F(IpsetMapTest, GivesThePacketTheMarkOfTheElement) {
  const XtTarget target = MapTarget(IPSET_FLAG_MAP_SKBMARK);
  EXPECT_EQ(WithMark(target, 0x10, 1), Disposition::kUnknown) << "nobody has told";
  store_.Put(element_, Fact::Present(true));
  EXPECT_EQ(WithMark(target, 0x10, 1), Disposition::kUnknown) << "nobody has told what it maps to";
  Has({false, 0, 0, 0x10, 0xff, 0});
  EXPECT_EQ(WithMark(target, 0x10, 1), Disposition::kDrop);
  EXPECT_EQ(WithMark(target, 2, 1), Disposition::kAccept);
  Has({});
  EXPECT_EQ(WithMark(target, 2, 1), Disposition::kDrop) << "it maps to nothing";
  store_.Put(element_, Fact::Present(false));
  EXPECT_EQ(WithMark(target, 2, 1), Disposition::kDrop) << "there is no such element";
  EXPECT_EQ(WithMark(MapTarget(IPSET_FLAG_MAP_SKBMARK, {3, 0, 0}), 2, 1), Disposition::kDrop)
      << "the rule names no direction";
}

TEST_F(IpsetMapTest, GivesThePacketThePriorityOfTheElement) {
  Has({false, 0, 0, 0x10, 0xff, 5});
  const XtTarget target = MapTarget(IPSET_FLAG_MAP_SKBPRIO | IPSET_FLAG_MAP_SKBQUEUE);
  EXPECT_EQ(WithPriority(target, 5), Disposition::kDrop);
  EXPECT_EQ(WithPriority(target, 4), Disposition::kAccept);
  EXPECT_EQ(WithMark(target, 2, 1), Disposition::kDrop) << "the rule does not ask for the mark";
  Has({});
  EXPECT_EQ(WithPriority(target, 0), Disposition::kDrop) << "an element that maps to nothing gives priority 0";
}

TEST_F(IpsetMapTest, IsUnknownWhereMoreThanOneElementMayGiveIt) {
  Has({false, 0, 0, 0x10, 0xff, 0});
  EXPECT_EQ(WithMark(MapTarget(IPSET_FLAG_MAP_SKBMARK, {3, 1, 0}, 3), 0x10, 1), Disposition::kUnknown)
      << "the same rule may have put in another one";
  EXPECT_EQ(WithMark(MapTarget(IPSET_FLAG_MAP_SKBMARK, {3, 1, IPSET_INV_MATCH}), 0x10, 1), Disposition::kUnknown);
  Is("list:set");
  EXPECT_EQ(WithMark(MapTarget(IPSET_FLAG_MAP_SKBMARK), 0x10, 1), Disposition::kUnknown);
  EXPECT_EQ(WithMark({"SET", 3, Value(8)}, 2, 1), Disposition::kUnknown) << "too short";
}

TEST_F(AskedFactsTest, TimestampsAreInEveryPacketOfAConnectionOrInNone) {
  const auto where = [&](bool there) {
    const ExtensionHeader load{1, 8, 0, 1, NFT_EXTHDR_F_PRESENT, Register{0}, std::nullopt};
    const Compare asked{NFT_CMP_EQ, Register{0}, ValueOf({static_cast<std::uint8_t>(there ? 1 : 0)})};
    return Evaluate(HandMadeTable().Base("o", Hook::kOutput, {{load, asked, Drops()}}));
  };
  EXPECT_EQ(where(true), Disposition::kDrop);
  EXPECT_EQ(where(false), Disposition::kAccept);
  connection_.local_socket.timestamps = false;
  EXPECT_EQ(where(true), Disposition::kAccept);
  EXPECT_EQ(where(false), Disposition::kDrop);
  connection_.local_socket.timestamps.reset();
  EXPECT_EQ(where(true), Disposition::kUnknown);
  connection_.local_socket.timestamps = true;
  const ExtensionHeader strip{1, 8, 0, 0, 0, std::nullopt, std::nullopt};
  const ExtensionHeader load{1, 8, 0, 1, NFT_EXTHDR_F_PRESENT, Register{0}, std::nullopt};
  EXPECT_EQ(Evaluate(HandMadeTable().Base(
                "o", Hook::kOutput,
                {{strip}, {load, Compare{NFT_CMP_EQ, Register{0}, ValueOf({std::uint8_t{1}})}, Drops()}})),
            Disposition::kUnknown)
      << "a rule has taken them out";
}

TEST_F(AskedFactsTest, PacketsHaveThePriorityOfTheirSocket) {
  const auto decide = [&] {
    const Compare six{NFT_CMP_EQ, Register{0}, ValueOf({6, 0, 0, 0})};
    return Evaluate(
        HandMadeTable().Base("o", Hook::kOutput, {{MetaLoad{NFT_META_PRIORITY, Register{0}}, six, Drops()}}));
  };
  EXPECT_EQ(decide(), Disposition::kUnknown);
  connection_.local_socket.priority = 6;
  EXPECT_EQ(decide(), Disposition::kDrop);
  connection_.local_socket.priority = 0;
  EXPECT_EQ(decide(), Disposition::kAccept);
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
  const DynamicSet add{"s", NFT_DYNSET_OP_ADD, Register{0}, std::nullopt, false, 0, {}, {}};
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
    EXPECT_EQ(result.disposition, Disposition::kDrop);
    return result.location ? result.location->table : result.reason;
  };
  EXPECT_EQ(named(true), "t1");
  EXPECT_THAT(named(false), testing::HasSubstr("either nft table inet t0, chain o, handle 1 or nft table inet t1, "
                                               "chain o, handle 1 drops it, and which one hangs on the order"));
}

}  // namespace
}  // namespace finwait::firewall::eval
