#include "collectors/kernel/find_entry.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <vector>

#include "tests/unit/collectors/kernel/conntrack_messages.h"

namespace finwait::kernel {
namespace {

// As ctnetlink sends it, with what `fill` adds.
Result<std::optional<WholeEntry>> Decoded(const std::function<void(netlink::Request&)>& fill) {
  netlink::Request request = EventMessage(EventContent());
  fill(request);
  const netlink::Bytes whole = request.Data();
  const std::vector<std::byte> payload(whole.begin() + sizeof(nlmsghdr), whole.end());
  return DecodeWholeEntry({0, payload});
}

TEST(FindEntryTest, ReadsWhatRulesMayAskFor) {
  const std::array<std::byte, 16> labels = {std::byte{0}, std::byte{2}};
  const auto entry = Decoded([&](netlink::Request& request) {
    request.PutBigEndian32(CTA_MARK, 0x104).PutBytes(CTA_LABELS, labels).PutBigEndian16(CTA_ZONE, 5);
    PutTuple(request, CTA_TUPLE_MASTER, "192.0.2.1", "198.51.100.1", IPPROTO_TCP);
  });
  ASSERT_TRUE(entry && *entry);
  const WholeEntry& whole = **entry;
  EXPECT_EQ(whole.original.source.Text(), "192.0.2.1:40000");
  EXPECT_EQ(whole.original.destination.Text(), "198.51.100.1:443");
  EXPECT_EQ(whole.mark, 0x104U);
  ASSERT_TRUE(whole.labels.has_value());
  EXPECT_EQ((*whole.labels)[1], 2);
  EXPECT_TRUE(whole.has_master);
  EXPECT_EQ(whole.zone, 5);
  EXPECT_EQ(whole.original_zone, 5);
  EXPECT_EQ(whole.reply_zone, 5);
  EXPECT_EQ(whole.tcp_state, ConntrackTcpState::kEstablished);
}

TEST(FindEntryTest, WhatTheKernelDoesNotSendIsNotThere) {
  const auto entry = Decoded([](netlink::Request&) {});
  ASSERT_TRUE(entry && *entry);
  EXPECT_EQ((*entry)->mark, 0U);
  EXPECT_FALSE((*entry)->labels.has_value());
  EXPECT_FALSE((*entry)->has_master);
}

}  // namespace
}  // namespace finwait::kernel
