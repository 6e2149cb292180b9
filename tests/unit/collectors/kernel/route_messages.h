#pragma once

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "collectors/base/ip.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"

/// What rtnetlink tells of devices, their addresses and routes.
namespace finwait::kernel {

/// RTM_NEWLINK of an Ethernet device of group 3.
inline netlink::FakeMessage LinkMessage(std::uint32_t index, const std::string& name, const std::string& kind,
                                        std::uint32_t master = 0,
                                        std::optional<std::uint32_t> peer_namespace = std::nullopt) {
  ifinfomsg header = {};
  header.ifi_index = static_cast<int>(index);
  header.ifi_type = 1;
  netlink::Request message(RTM_NEWLINK);
  message.Header(header).PutText(IFLA_IFNAME, name).PutU32(IFLA_GROUP, 3);
  if (!kind.empty()) {
    message.BeginNested(IFLA_LINKINFO).PutText(IFLA_INFO_KIND, kind).EndNested();
  }
  if (master != 0) {
    message.PutU32(IFLA_MASTER, master);
  }
  if (peer_namespace) {
    message.PutU32(IFLA_LINK_NETNSID, *peer_namespace);
  }
  return MessageOf(message);
}

/// The same of a VRF's port.
inline netlink::FakeMessage PortOfVrfMessage(std::uint32_t index, const std::string& name, std::uint32_t vrf) {
  ifinfomsg header = {};
  header.ifi_index = static_cast<int>(index);
  header.ifi_type = 1;
  netlink::Request message(RTM_NEWLINK);
  message.Header(header).PutText(IFLA_IFNAME, name).PutU32(IFLA_GROUP, 3).PutU32(IFLA_MASTER, vrf);
  message.BeginNested(IFLA_LINKINFO).PutText(IFLA_INFO_KIND, "veth").PutText(IFLA_INFO_SLAVE_KIND, "vrf").EndNested();
  return MessageOf(message);
}

/// RTM_NEWADDR of a device, of global scope.
inline netlink::FakeMessage AddressOfDevice(std::uint32_t index, const std::string& text, std::uint8_t prefix_length) {
  const IpAddress address = *IpAddress::Parse(text);
  ifaddrmsg header = {};
  header.ifa_family = static_cast<std::uint8_t>(address.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6);
  header.ifa_prefixlen = prefix_length;
  header.ifa_index = index;
  netlink::Request message(RTM_NEWADDR);
  message.Header(header).PutBytes(IFA_LOCAL, address.Bytes()).PutBytes(IFA_ADDRESS, address.Bytes());
  return MessageOf(message);
}

/// RTM_NEWROUTE, the answer to where a packet leaves: of type RTN_*, through a device and, unless "", a gateway.
inline netlink::FakeMessage RouteMessage(std::uint8_t type, std::uint32_t device, const std::string& gateway = {},
                                         std::optional<std::uint32_t> hop_limit = std::nullopt) {
  rtmsg header = {};
  header.rtm_family = AF_INET;
  header.rtm_type = type;
  netlink::Request message(RTM_NEWROUTE);
  message.Header(header).PutU32(RTA_OIF, device);
  if (!gateway.empty()) {
    message.PutBytes(RTA_GATEWAY, IpAddress::Parse(gateway)->Bytes());
  }
  if (hop_limit) {
    message.BeginNested(RTA_METRICS).PutU32(RTAX_HOPLIMIT, *hop_limit).EndNested();
  }
  return MessageOf(message);
}

}  // namespace finwait::kernel
