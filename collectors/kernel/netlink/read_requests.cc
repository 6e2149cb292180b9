#include "collectors/kernel/netlink/read_requests.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_acct.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xfrm.h>

#include <cstring>
#include <string>

#include "collectors/kernel/netlink/request.h"

namespace finwait::kernel::netlink {
namespace {

constexpr ReadRequest kReadRequests[] = {
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET), "IPCTNL_MSG_CT_GET"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU),
     "IPCTNL_MSG_CT_GET_STATS_CPU"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE), "NFT_MSG_GETTABLE"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN), "NFT_MSG_GETCHAIN"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE), "NFT_MSG_GETRULE"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSET), "NFT_MSG_GETSET"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM), "NFT_MSG_GETSETELEM"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN), "NFT_MSG_GETGEN"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETOBJ), "NFT_MSG_GETOBJ"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETFLOWTABLE), "NFT_MSG_GETFLOWTABLE"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_ACCT, NFNL_MSG_ACCT_GET), "NFNL_MSG_ACCT_GET"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_IPSET, IPSET_CMD_GET_BYINDEX), "IPSET_CMD_GET_BYINDEX"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_IPSET, IPSET_CMD_HEADER), "IPSET_CMD_HEADER"},
    {NETLINK_NETFILTER, NetfilterType(NFNL_SUBSYS_IPSET, IPSET_CMD_LIST), "IPSET_CMD_LIST"},
    {NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, "SOCK_DIAG_BY_FAMILY"},
    {NETLINK_ROUTE, RTM_GETROUTE, "RTM_GETROUTE"},
    {NETLINK_ROUTE, RTM_GETLINK, "RTM_GETLINK"},
    {NETLINK_ROUTE, RTM_GETADDR, "RTM_GETADDR"},
    {NETLINK_ROUTE, RTM_GETRULE, "RTM_GETRULE"},
    {NETLINK_ROUTE, RTM_GETNSID, "RTM_GETNSID"},
    {NETLINK_ROUTE, RTM_GETQDISC, "RTM_GETQDISC"},
    {NETLINK_ROUTE, RTM_GETTFILTER, "RTM_GETTFILTER"},
    {NETLINK_ROUTE, RTM_GETNEIGH, "RTM_GETNEIGH"},
    {NETLINK_XFRM, XFRM_MSG_GETSPDINFO, "XFRM_MSG_GETSPDINFO"},
    {NETLINK_XFRM, XFRM_MSG_GETPOLICY, "XFRM_MSG_GETPOLICY"},
};

}  // namespace

std::span<const ReadRequest> ReadRequests() { return kReadRequests; }

Result<void> RequireReadOnly(int protocol, Bytes datagram) {
  if (datagram.empty()) {
    return Fail(FailureReason::kError, "netlink request not sent: it is empty");
  }
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof(nlmsghdr) || header.nlmsg_len > datagram.size()) {
      return Fail(FailureReason::kError, "netlink request not sent: its length field is wrong");
    }
    bool listed = false;
    for (const ReadRequest& request : kReadRequests) {
      listed = listed || (request.protocol == protocol && request.type == header.nlmsg_type);
    }
    if (!listed) {
      return Fail(FailureReason::kError, "netlink request not sent: type " + std::to_string(header.nlmsg_type) +
                                             " of protocol " + std::to_string(protocol) +
                                             " is not on the list of read requests");
    }
    const std::size_t aligned = NLMSG_ALIGN(header.nlmsg_len);
    datagram = datagram.subspan(aligned < datagram.size() ? aligned : datagram.size());
  }
  if (!datagram.empty()) {
    return Fail(FailureReason::kError, "netlink request not sent: trailing bytes after the last message");
  }
  return {};
}

}  // namespace finwait::kernel::netlink
