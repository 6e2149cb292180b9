#include "collectors/kernel/conntrack_entry.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "collectors/kernel/netlink/request.h"

namespace finwait::kernel {
namespace {

// The payload of a ctnetlink message, as the kernel would send it: built with the same encoder that requests use.
std::vector<std::byte> Entry(const std::function<void(netlink::Request&)>& fill, std::uint8_t family = AF_INET) {
  netlink::Request request(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW));
  request.Header(nfgenmsg{family, NFNETLINK_V0, 0});
  fill(request);
  const netlink::Bytes whole = request.Data();
  return {whole.begin() + sizeof(nlmsghdr), whole.end()};
}

void PutEstablished(netlink::Request& request) {
  request.BeginNested(CTA_TUPLE_ORIG)
      .BeginNested(CTA_TUPLE_IP)
      .PutBigEndian32(CTA_IP_V4_SRC, 0xc0000201)
      .PutBigEndian32(CTA_IP_V4_DST, 0xc0000202)
      .EndNested()
      .BeginNested(CTA_TUPLE_PROTO)
      .PutU8(CTA_PROTO_NUM, IPPROTO_TCP)
      .PutBigEndian16(CTA_PROTO_SRC_PORT, 40000)
      .PutBigEndian16(CTA_PROTO_DST_PORT, 80)
      .EndNested()
      .EndNested()
      .PutBigEndian32(CTA_STATUS, 0x0e)
      .PutBigEndian32(CTA_TIMEOUT, 431999)
      .BeginNested(CTA_PROTOINFO)
      .BeginNested(CTA_PROTOINFO_TCP)
      .PutU8(CTA_PROTOINFO_TCP_STATE, 3)
      .EndNested()
      .EndNested();
}

Result<std::optional<ConntrackEntry>> DecodeOne(const std::vector<std::byte>& payload) {
  return DecodeConntrackEntry({0, payload});
}

TEST(ConntrackEntryTest, ReadsWhatTheKernelSends) {
  const auto payload = Entry(PutEstablished);
  const auto entry = DecodeOne(payload);
  ASSERT_TRUE(entry.has_value() && entry->has_value());
  EXPECT_EQ((*entry)->protocol, IPPROTO_TCP);
  EXPECT_EQ((*entry)->tcp_state, ConntrackTcpState::kEstablished);
  EXPECT_EQ((*entry)->remaining_seconds, 431999U);
  EXPECT_EQ((*entry)->status, 0x0eU);
  const auto tuple = DecodeConntrackTuple((*entry)->original);
  ASSERT_TRUE(tuple.has_value());
  EXPECT_EQ(tuple->source.Text(), "192.0.2.1:40000");
  EXPECT_EQ(tuple->destination.Text(), "192.0.2.2:80");
}

TEST(ConntrackEntryTest, TellsItsZoneWhereverTheKernelPutsIt) {
  const auto zone_of = [](const std::function<void(netlink::Request&)>& fill) {
    const auto payload = Entry(fill);
    return (*DecodeOne(payload))->zone;
  };
  EXPECT_EQ(zone_of(PutEstablished), 0);
  EXPECT_EQ(zone_of([](netlink::Request& request) { request.PutBigEndian16(CTA_ZONE, 7); }), 7);
  for (const std::uint16_t direction : {CTA_TUPLE_ORIG, CTA_TUPLE_REPLY}) {
    EXPECT_EQ(zone_of([direction](netlink::Request& request) {
                request.BeginNested(direction).PutBigEndian16(CTA_TUPLE_ZONE, 8).EndNested();
              }),
              8);
  }
}

TEST(ConntrackEntryTest, AStateThatThisProgramDoesNotKnowIsNone) {
  const auto payload = Entry([](netlink::Request& request) {
    request.BeginNested(CTA_PROTOINFO)
        .BeginNested(CTA_PROTOINFO_TCP)
        .PutU8(CTA_PROTOINFO_TCP_STATE, 200)
        .EndNested()
        .EndNested();
  });
  EXPECT_FALSE((*DecodeOne(payload))->tcp_state.has_value());
}

TEST(ConntrackEntryTest, AnotherFamilyIsNoEntryOfOurs) {
  EXPECT_FALSE(DecodeOne(Entry(PutEstablished, AF_BRIDGE))->has_value());
}

// Cut anywhere, with any length field wrong: an error or less of an entry, never a read past the end (ASan sees that).
TEST(ConntrackEntryTest, EveryTruncationAndEveryWrongLengthIsSurvived) {
  const auto whole = Entry(PutEstablished);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (const auto entry = DecodeOne(cut); entry && *entry) {
      DecodeConntrackTuple((*entry)->original);
    }
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0, 1, 3, 4, 5, 127, 255}) {
      std::vector<std::byte> broken = whole;
      broken[at] = static_cast<std::byte>(value);
      if (const auto entry = DecodeOne(broken); entry && *entry) {
        DecodeConntrackTuple((*entry)->original);
        DecodeConntrackTuple((*entry)->reply);
      }
    }
  }
}

TEST(ConntrackEntryTest, ALengthThatRunsPastTheEndIsAnError) {
  auto payload = Entry(PutEstablished);
  payload[sizeof(nfgenmsg)] = std::byte{0xff};
  payload[sizeof(nfgenmsg) + 1] = std::byte{0xff};
  EXPECT_FALSE(DecodeOne(payload).has_value());
}

}  // namespace
}  // namespace finwait::kernel
