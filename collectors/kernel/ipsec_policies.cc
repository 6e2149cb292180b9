#include "collectors/kernel/ipsec_policies.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <system_error>

#include "collectors/base/text.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

// Whether a netlink protocol is there: its own socket is in the list of all. To open one of a protocol that is not
// would make the kernel look for its module.
Result<bool> HasProtocol(const Host& host, int protocol, Deadline deadline) {
  bool found = false;
  const auto read = ForEachLine(host.procfs / "thread-self/net/netlink", deadline, [&](std::string_view line) {
    Words words(line);
    words.Next();  // the socket's address
    found = found || ParseNumber<int>(words.Next()) == protocol;
    return Result<void>();
  });
  if (!read) {
    return Failure(read.error());
  }
  return found;
}

// A channel to ask for policies by; nothing where there can be none.
Result<std::optional<netlink::Channel>> OpenXfrm(const Host& host, Deadline deadline) {
  const auto asked_by_netlink = HasProtocol(host, NETLINK_XFRM, deadline);
  if (!asked_by_netlink) {
    return Failure(asked_by_netlink.error());
  }
  if (!*asked_by_netlink) {
    std::error_code error;
    if (std::filesystem::exists(host.procfs / "thread-self/net/pfkey", error)) {
      return Fail(FailureReason::kUnsupported, "IPsec policies may be there, and xfrm_user is not loaded to tell");
    }
    return std::optional<netlink::Channel>();
  }
  auto channel = host.open_channel(NETLINK_XFRM);
  if (!channel) {
    return Failure(channel.error());
  }
  return std::optional(std::move(*channel));
}

// addr_match().
bool HasPrefix(std::span<const std::byte> address, std::span<const std::byte> prefix, unsigned bits) {
  const std::size_t whole = std::min<std::size_t>(bits / 8, address.size());
  if (!std::equal(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(whole), prefix.begin())) {
    return false;
  }
  const unsigned rest = bits % 8;
  if (rest == 0 || whole == address.size()) {
    return true;
  }
  const std::byte differ = address[whole] ^ prefix[whole];
  return (differ >> (8 - rest)) == std::byte{0};
}

// xfrm_selector_match(), for packets from one end to the other.
bool IsFor(const IpsecSelector& selector, const Endpoint& source, const Endpoint& destination) {
  return HasPrefix(source.address.Bytes(), selector.source, selector.source_bits) &&
         HasPrefix(destination.address.Bytes(), selector.destination, selector.destination_bits) &&
         ((source.port ^ selector.source_port) & selector.source_ports) == 0 &&
         ((destination.port ^ selector.destination_port) & selector.destination_ports) == 0;
}

IpsecSelector SelectorOf(const xfrm_selector& told) {
  IpsecSelector selector;
  selector.family = told.family == AF_INET ? IpFamily::kIpv4 : IpFamily::kIpv6;
  std::memcpy(selector.source.data(), &told.saddr, selector.source.size());
  std::memcpy(selector.destination.data(), &told.daddr, selector.destination.size());
  selector.source_bits = told.prefixlen_s;
  selector.destination_bits = told.prefixlen_d;
  selector.source_port = ntohs(told.sport);
  selector.source_ports = ntohs(told.sport_mask);
  selector.destination_port = ntohs(told.dport);
  selector.destination_ports = ntohs(told.dport_mask);
  selector.protocol = told.proto;
  return selector;
}

}  // namespace

bool IpsecSelector::MayBeFor(const Endpoint& one, const Endpoint& other) const {
  return family == one.address.Family() && (protocol == 0 || protocol == IPPROTO_TCP) &&
         (IsFor(*this, one, other) || IsFor(*this, other, one));
}

bool HasXfrm(const Host& host) {
  constexpr std::chrono::seconds kPatience{5};
  return HasProtocol(host, NETLINK_XFRM, Deadline::After(kPatience)).value_or(false);
}

Result<bool> HasIpsecPolicies(const Host& host, Deadline deadline) {
  auto opened = OpenXfrm(host, deadline);
  if (!opened) {
    return Failure(opened.error());
  }
  std::optional<netlink::Channel>& channel = *opened;
  if (!channel) {
    return false;
  }
  std::optional<xfrmu_spdinfo> counts;
  const auto got = channel->Get(netlink::Request(XFRM_MSG_GETSPDINFO).Header(std::uint32_t{0}), "count IPsec policies",
                                deadline, [&](const netlink::Message& message) -> Result<void> {
                                  netlink::ForEachAttribute(message.Attributes<std::uint32_t>(),
                                                            [&](const netlink::Attribute& attribute) {
                                                              if (attribute.Type() == XFRMA_SPD_INFO) {
                                                                counts = attribute.Read<xfrmu_spdinfo>();
                                                              }
                                                            });
                                  return {};
                                });
  if (!got) {
    return Failure(got.error());
  }
  if (!counts) {
    return Fail(FailureReason::kError, "count IPsec policies: the kernel's answer is of an unknown shape");
  }
  return counts->incnt + counts->outcnt + counts->fwdcnt > 0;
}

Result<std::vector<IpsecSelector>> ReadIpsecSelectors(const Host& host, Deadline deadline) {
  auto opened = OpenXfrm(host, deadline);
  if (!opened) {
    return Failure(opened.error());
  }
  std::optional<netlink::Channel>& channel = *opened;
  std::vector<IpsecSelector> selectors;
  if (!channel) {
    return selectors;
  }
  netlink::FunctionSink sink([&] { selectors.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               const auto policy = message.Header<xfrm_userpolicy_info>();
                               if (!policy || (policy->sel.family != AF_INET && policy->sel.family != AF_INET6)) {
                                 return Fail(FailureReason::kError, "list IPsec policies: one is of an unknown shape");
                               }
                               if (selectors.size() == kMostIpsecPolicies) {
                                 return Fail(FailureReason::kError, "list IPsec policies: there are too many");
                               }
                               if (policy->dir < XFRM_POLICY_MAX) {  // others are of single sockets
                                 selectors.push_back(SelectorOf(policy->sel));
                               }
                               return {};
                             });
  auto dumped = channel->Dump(netlink::Request(XFRM_MSG_GETPOLICY).Header(xfrm_userpolicy_id{}), "list IPsec policies",
                              deadline, sink);
  if (!dumped) {
    return Failure(dumped.error());
  }
  if (dumped->torn) {
    return Fail(FailureReason::kError, "list IPsec policies: they changed meanwhile");
  }
  return selectors;
}

}  // namespace finwait::kernel
