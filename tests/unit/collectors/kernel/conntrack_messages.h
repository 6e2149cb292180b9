#pragma once

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/netlink/request.h"

namespace finwait::kernel {

/// A conntrack entry as ctnetlink tells of it in an event.
struct EventContent {
  std::uint8_t message = IPCTNL_MSG_CT_DELETE;
  std::uint8_t protocol = IPPROTO_TCP;
  std::string source = "192.0.2.1";
  std::string destination = "198.51.100.1";
  std::string reply_source = "198.51.100.1";
  std::string reply_destination = "192.0.2.1";
  std::optional<std::uint8_t> state = static_cast<std::uint8_t>(ConntrackTcpState::kEstablished);
  std::optional<std::uint32_t> seconds_left;
  std::uint32_t status = 0x20e;  ///< IPS_* bits
};

inline void PutTuple(netlink::Request& request, std::uint16_t type, const std::string& source,
                     const std::string& destination, std::uint8_t protocol) {
  const IpAddress from = *IpAddress::Parse(source);
  const IpAddress to = *IpAddress::Parse(destination);
  const bool ipv4 = from.Family() == IpFamily::kIpv4;
  request.BeginNested(type)
      .BeginNested(CTA_TUPLE_IP)
      .PutBytes(ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, from.Bytes())
      .PutBytes(ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, to.Bytes())
      .EndNested()
      .BeginNested(CTA_TUPLE_PROTO)
      .PutU8(CTA_PROTO_NUM, protocol)
      .PutBigEndian16(CTA_PROTO_SRC_PORT, 40000)
      .PutBigEndian16(CTA_PROTO_DST_PORT, 443)
      .EndNested()
      .EndNested();
}

/// The message, in the order of attributes that ctnetlink_conntrack_event gives it.
inline netlink::Request EventMessage(const EventContent& content) {
  const bool ipv4 = IpAddress::Parse(content.source)->Family() == IpFamily::kIpv4;
  netlink::Request message(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, content.message));
  message.Header(nfgenmsg{static_cast<std::uint8_t>(ipv4 ? AF_INET : AF_INET6), NFNETLINK_V0, 0});
  PutTuple(message, CTA_TUPLE_ORIG, content.source, content.destination, content.protocol);
  PutTuple(message, CTA_TUPLE_REPLY, content.reply_source, content.reply_destination, content.protocol);
  message.PutBigEndian32(CTA_ID, 77).PutBigEndian32(CTA_STATUS, content.status);
  if (content.seconds_left) {
    message.PutBigEndian32(CTA_TIMEOUT, *content.seconds_left);
  }
  if (content.state) {
    message.BeginNested(CTA_PROTOINFO)
        .BeginNested(CTA_PROTOINFO_TCP)
        .PutU8(CTA_PROTOINFO_TCP_STATE, *content.state)
        .EndNested()
        .EndNested();
  }
  return message;
}

/// RTM_NEWADDR (or another type) of an address of this host's; `peer` is the other end of a point-to-point link.
inline netlink::Request AddressMessage(const std::string& own, const std::string& peer = "",
                                       std::uint16_t type = RTM_NEWADDR) {
  const IpAddress address = *IpAddress::Parse(own);
  const bool ipv4 = address.Family() == IpFamily::kIpv4;
  netlink::Request message(type);
  ifaddrmsg header = {};
  header.ifa_family = static_cast<std::uint8_t>(ipv4 ? AF_INET : AF_INET6);
  message.Header(header);
  message.PutBytes(IFA_ADDRESS, IpAddress::Parse(peer.empty() ? own : peer)->Bytes());
  // IPv6 has IFA_LOCAL only where there is a peer.
  if (ipv4 || !peer.empty()) {
    message.PutBytes(IFA_LOCAL, address.Bytes());
  }
  return message;
}

}  // namespace finwait::kernel
