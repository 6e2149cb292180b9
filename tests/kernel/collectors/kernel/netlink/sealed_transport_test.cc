#include "collectors/kernel/netlink/sealed_transport.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "collectors/kernel/ipsec_policies.h"
#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/route.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/tracking.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"
#include "tests/soon.h"

namespace finwait::kernel::netlink {
namespace {

template <typename Sample, typename Collector>
Sample Collect(Collector collector) {
  auto collected = collector.Collect(Soon());
  if (!collected) {
    throw std::runtime_error(collected.error().message);
  }
  for (const Error& gap : collected->gaps) {
    ADD_FAILURE() << gap.message;
  }
  return dynamic_cast<const Sample&>(*collected->data);
}

Bytes BytesOf(const nlmsghdr& header) { return std::as_bytes(std::span(&header, 1)); }

// One test, as a process seals its requests once.
TEST(SealedTransportTest, AsksEverythingThatTheProgramAsksAndNothingElse) {
  const lab::Wire wire;
  wire.local.Shell(
      "nft 'table inet t { set s { type ipv4_addr; elements = { 198.51.100.1 }; }; "
      "chain o { type filter hook output priority 0; ip daddr @s accept; ct state invalid counter drop; }; }'");
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  const UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  wire.local.Run([&] {
    const auto requests = SealedRequests::Make(true);
    ASSERT_TRUE(requests) << requests.error().message;
    Host host = lab::HostHere();
    host.open_channel = [&requests](int protocol) -> Result<Channel> {
      auto transport = SealedTransport::Open(*requests, protocol);
      return transport ? Result<Channel>(Channel(std::move(*transport))) : Failure(transport.error());
    };
    // More often than there are sockets for it: they come back.
    for (int i = 0; i < 20; ++i) {
      const auto tracking = Collect<sources::TrackingSample>(sources::TrackingCollector(host));
      ASSERT_EQ(tracking.sockets.Size(), 1U);
      EXPECT_EQ(tracking.sockets[0].entry.tracking, Tracking::kTracked);
    }
    const auto table = Collect<sources::ConntrackTableSample>(sources::ConntrackTableCollector(host));
    EXPECT_EQ(table.flows[0].tcp[static_cast<std::size_t>(ConntrackTcpState::kEstablished)], 1U);
    EXPECT_TRUE(Collect<sources::ConntrackStatsSample>(sources::ConntrackStatsCollector(host)).counters[0].has_value());
    const auto firewall = Collect<sources::FirewallSample>(sources::FirewallCollector(host));
    EXPECT_EQ(firewall.invalid_drops.size(), 1U);
    const auto route = FindRoute(host, {.destination = *IpAddress::Parse(lab::Wire::kPeer4)}, Soon());
    ASSERT_TRUE(route) << route.error().message;
    EXPECT_EQ(route->interface_name, "veth0");
    const auto ipsec = HasIpsecPolicies(host, Soon());
    ASSERT_TRUE(ipsec) << ipsec.error().message;
    EXPECT_FALSE(*ipsec);
    const auto selectors = ReadIpsecSelectors(host, Soon());
    ASSERT_TRUE(selectors) << selectors.error().message;
    EXPECT_TRUE(selectors->empty());

    // What is not on the list has no header.
    const auto socket = OpenBoundSocket(NETLINK_NETFILTER);
    ASSERT_TRUE(socket);
    nlmsghdr header = {};
    header.nlmsg_len = sizeof header;
    header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header.nlmsg_type = NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE);
    EXPECT_EQ((*requests)->Send(socket->fd.Get(), NETLINK_NETFILTER, BytesOf(header)), -1);
    EXPECT_EQ(errno, EPERM);
    header.nlmsg_type = NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET);
    header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    EXPECT_EQ((*requests)->Send(socket->fd.Get(), NETLINK_NETFILTER, BytesOf(header)), -1);
    header.nlmsg_type = SOCK_DIAG_BY_FAMILY;  // RTM_NEWADDR there
    header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    EXPECT_EQ((*requests)->Send(socket->fd.Get(), NETLINK_ROUTE, BytesOf(header)), -1);

    // XFRM_MSG_ALLOCSPI there.
    header.nlmsg_type = RTM_GETADDR;
    EXPECT_EQ((*requests)->Send(socket->fd.Get(), NETLINK_XFRM, BytesOf(header)), -1);

    // The memory is as it is, even without a filter.
    const auto limits = (*requests)->Limits();
    void* const memory = reinterpret_cast<void*>(limits.any.headers.value);
    constexpr long kMseal = 462;  // SYS_mseal, Linux 6.10; before, the filter's comparisons have to do
    if (::syscall(kMseal, nullptr, 0UL, 0UL) == 0 || errno != ENOSYS) {
      EXPECT_NE(::mprotect(memory, 4096, PROT_READ | PROT_WRITE), 0);
      EXPECT_NE(::munmap(memory, 4096), 0);
    }
    EXPECT_FALSE(SealedRequests::Make(true)) << "once a process";
  });
}

}  // namespace
}  // namespace finwait::kernel::netlink
