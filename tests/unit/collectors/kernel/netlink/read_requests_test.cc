#include "collectors/kernel/netlink/read_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xfrm.h>

#include <set>
#include <utility>
#include <vector>

#include "collectors/kernel/netlink/request.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"

namespace finwait::kernel::netlink {
namespace {

using testing::HasSubstr;

// The list as plain numbers, written out once more: whoever changes what this program may send changes it here too.
const std::set<std::pair<int, int>> kAllowed = {
    {12, 0x101},  // NETLINK_NETFILTER: conntrack entries
    {12, 0x104},  // conntrack statistics of each CPU
    {12, 0xa01},  // nftables: tables
    {12, 0xa04},  // chains
    {12, 0xa07},  // rules
    {12, 0xa0a},  // sets
    {12, 0xa0d},  // set elements
    {12, 0xa10},  // generation
    {12, 0xa13},  // objects
    {12, 0xa17},  // flowtables
    {12, 0x701},  // accounting objects
    {12, 0x607},  // ipsets: a set and its members
    {12, 0x60c},  // a set's type
    {12, 0x60f},  // a set's name by its index
    {4, 20},      // NETLINK_SOCK_DIAG: sockets
    {0, 18},      // NETLINK_ROUTE: links
    {0, 22},      // addresses
    {0, 26},      // routes
    {0, 30},      // neighbours
    {0, 34},      // routing rules
    {0, 38},      // queueing disciplines
    {0, 46},      // filters of tc
    {0, 90},      // the number of a network namespace
    {6, 37},      // NETLINK_XFRM: how many IPsec policies there are
    {6, 21},      // what they are for
};

ByteVector Message(std::uint16_t type) {
  const Request request(type);
  return ByteVector(request.Data().begin(), request.Data().end());
}

TEST(ReadRequests, AreExactlyThese) {
  std::set<std::pair<int, int>> listed;
  for (const ReadRequest& request : ReadRequests()) {
    EXPECT_TRUE(listed.emplace(request.protocol, request.type).second) << request.name << " is listed twice";
  }
  EXPECT_EQ(listed, kAllowed);
}

TEST(ReadRequests, AreAllThatPassesOfEveryTypeOfEveryProtocol) {
  std::set<std::pair<int, int>> passed;
  for (int protocol = 0; protocol < MAX_LINKS; ++protocol) {
    ByteVector datagram = Message(0);
    for (int type = 0; type <= 0xffff; ++type) {
      const auto wire_type = static_cast<std::uint16_t>(type);
      std::memcpy(datagram.data() + offsetof(nlmsghdr, nlmsg_type), &wire_type, sizeof wire_type);
      if (RequireReadOnly(protocol, datagram)) {
        passed.emplace(protocol, type);
      }
    }
  }
  EXPECT_EQ(passed, kAllowed);
}

TEST(ReadRequests, HoldNothingThatChangesOrZeroesOrDestroys) {
  const auto conntrack = [](int message) {
    return std::pair<int, int>(NETLINK_NETFILTER, NFNL_SUBSYS_CTNETLINK << 8 | message);
  };
  const auto nftables = [](int message) {
    return std::pair<int, int>(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | message);
  };
  constexpr int kGetRuleReset = 25;     // NFT_MSG_GETRULE_RESET, newer than Debian 12's headers
  constexpr int kGetSetElemReset = 33;  // NFT_MSG_GETSETELEM_RESET
  for (const auto& [protocol, type] : {conntrack(IPCTNL_MSG_CT_NEW),
                                       conntrack(IPCTNL_MSG_CT_DELETE),
                                       conntrack(IPCTNL_MSG_CT_GET_CTRZERO),
                                       nftables(NFT_MSG_NEWTABLE),
                                       nftables(NFT_MSG_DELTABLE),
                                       nftables(NFT_MSG_NEWRULE),
                                       nftables(NFT_MSG_DELRULE),
                                       nftables(NFT_MSG_NEWSETELEM),
                                       nftables(NFT_MSG_DELSETELEM),
                                       nftables(NFT_MSG_GETOBJ_RESET),
                                       nftables(NFT_MSG_NEWFLOWTABLE),
                                       nftables(NFT_MSG_DELFLOWTABLE),
                                       nftables(kGetRuleReset),
                                       nftables(kGetSetElemReset),
                                       {NETLINK_NETFILTER, NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_TEST},
                                       {NETLINK_NETFILTER, NFNL_MSG_BATCH_BEGIN},
                                       {NETLINK_SOCK_DIAG, SOCK_DESTROY},
                                       {NETLINK_ROUTE, RTM_NEWROUTE},
                                       {NETLINK_ROUTE, RTM_DELROUTE},
                                       {NETLINK_ROUTE, RTM_SETLINK},
                                       {NETLINK_XFRM, XFRM_MSG_NEWPOLICY},
                                       {NETLINK_XFRM, XFRM_MSG_DELPOLICY},
                                       {NETLINK_XFRM, XFRM_MSG_NEWSPDINFO},
                                       {NETLINK_XFRM, XFRM_MSG_FLUSHPOLICY}}) {
    const auto allowed = RequireReadOnly(protocol, Message(static_cast<std::uint16_t>(type)));
    ASSERT_FALSE(allowed) << protocol << " " << type;
    EXPECT_EQ(allowed.error().message, "netlink request not sent: type " + std::to_string(type) + " of protocol " +
                                           std::to_string(protocol) + " is not on the list of read requests");
  }
}

TEST(ReadRequests, PassOnlyTogetherWithOthersThatPass) {
  const std::uint16_t read = NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET);
  const std::uint16_t flush = NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE);
  EXPECT_TRUE(RequireReadOnly(NETLINK_NETFILTER, Join(Message(read), Message(read))));
  EXPECT_FALSE(RequireReadOnly(NETLINK_NETFILTER, Join(Message(read), Message(flush))));
  EXPECT_FALSE(RequireReadOnly(NETLINK_NETFILTER, Join(Message(flush), Message(read))));
}

// The kernel aligns each message's length before it looks for the next one; so must the check.
TEST(ReadRequests, AreFoundBehindAMessageWhoseLengthIsNotAligned) {
  ByteVector first = Message(NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  const std::uint32_t odd = sizeof(nlmsghdr) + 1;
  std::memcpy(first.data(), &odd, sizeof odd);
  first.resize(NLMSG_ALIGN(odd));
  EXPECT_TRUE(RequireReadOnly(NETLINK_NETFILTER, first));
  EXPECT_FALSE(RequireReadOnly(NETLINK_NETFILTER,
                               Join(first, Message(NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE)))));
}

TEST(ReadRequests, RefuseADatagramThatIsNotWholeMessages) {
  const ByteVector whole = Message(NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  EXPECT_FALSE(RequireReadOnly(NETLINK_NETFILTER, Bytes()));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(RequireReadOnly(NETLINK_NETFILTER, Bytes(whole).first(size))) << size;
    EXPECT_FALSE(RequireReadOnly(NETLINK_NETFILTER, Join(whole, ByteVector(size)))) << size;
  }
  for (const std::uint32_t length : {0u, 15u, 17u, 0xffffffffu}) {
    ByteVector wrong = whole;
    std::memcpy(wrong.data(), &length, sizeof length);
    EXPECT_THAT(RequireReadOnly(NETLINK_NETFILTER, wrong).error().message, HasSubstr("its length field is wrong"));
  }
}

}  // namespace
}  // namespace finwait::kernel::netlink
