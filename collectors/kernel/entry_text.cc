#include "collectors/kernel/entry_text.h"

#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <vector>

#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {
namespace {

struct Destroyer {
  void operator()(nf_conntrack* entry) const { nfct_destroy(entry); }
};
using Entry = std::unique_ptr<nf_conntrack, Destroyer>;

void SetEnd(nf_conntrack* entry, const IpAddress& address, nf_conntrack_attr ipv4, nf_conntrack_attr ipv6) {
  const bool is_ipv4 = address.Family() == IpFamily::kIpv4;
  nfct_set_attr(entry, is_ipv4 ? ipv4 : ipv6, address.Bytes().data());
}

// The kernel finds an entry by either of its tuples: what this end sends is one of them, whoever opened the connection.
netlink::Request RequestFor(nf_conntrack* entry, std::uint8_t family) {
  std::vector<std::byte> buffer(netlink::Request::kCapacity);
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg));
  nfct_nlmsg_build(message, entry);
  netlink::Request request(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{family, NFNETLINK_V0, 0});
  constexpr std::size_t kHeaders = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));
  netlink::AttributeReader attributes(netlink::Bytes(buffer).subspan(kHeaders, message->nlmsg_len - kHeaders));
  while (attributes.Next()) {
    request.PutBytes(attributes.Type(), attributes.Payload());
  }
  return request;
}

}  // namespace

namespace entry_text {

std::optional<std::string> Print(const netlink::Message& message) {
  const Entry entry(nfct_new());
  if (!entry || message.payload.size() < sizeof(nfgenmsg)) {
    return std::nullopt;
  }
  nlmsghdr header = {};
  header.nlmsg_type = message.type;
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + message.payload.size());
  const auto head = std::as_bytes(std::span(&header, 1));
  std::vector<std::byte> whole(head.begin(), head.end());
  whole.insert(whole.end(), message.payload.begin(), message.payload.end());
  if (nfct_nlmsg_parse(reinterpret_cast<const nlmsghdr*>(whole.data()), entry.get()) != 0) {
    return std::nullopt;
  }
  std::array<char, 1024> text = {};
  const int length = nfct_snprintf(text.data(), text.size(), entry.get(), NFCT_T_UNKNOWN, NFCT_O_DEFAULT, 0);
  return length > 0 ? std::optional<std::string>(text.data()) : std::nullopt;
}

}  // namespace entry_text

Result<std::optional<std::string>> FindEntryText(const Host& host, const Endpoint& local, const Endpoint& peer,
                                                 const ConntrackZones& zones, Deadline deadline) {
  const Entry entry(nfct_new());
  if (!entry) {
    return FailErrno("look up a conntrack entry", ENOMEM);
  }
  const std::uint8_t family = local.address.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  nfct_set_attr_u8(entry.get(), ATTR_L3PROTO, family);
  nfct_set_attr_u8(entry.get(), ATTR_L4PROTO, IPPROTO_TCP);
  SetEnd(entry.get(), local.address, ATTR_IPV4_SRC, ATTR_IPV6_SRC);
  SetEnd(entry.get(), peer.address, ATTR_IPV4_DST, ATTR_IPV6_DST);
  nfct_set_attr_u16(entry.get(), ATTR_PORT_SRC, htons(local.port));
  nfct_set_attr_u16(entry.get(), ATTR_PORT_DST, htons(peer.port));
  auto channel = host.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  std::vector<std::uint16_t> wanted = {0};
  wanted.insert(wanted.end(), zones.begin(), zones.end());
  for (const std::uint16_t zone : wanted) {
    if (zone != 0) {
      nfct_set_attr_u16(entry.get(), ATTR_ZONE, zone);
    }
    std::optional<std::string> text;
    const auto asked = channel->Get(RequestFor(entry.get(), family), "look up a conntrack entry", deadline,
                                    [&text](const netlink::Message& message) -> Result<void> {
                                      text = entry_text::Print(message);
                                      return {};
                                    });
    if (text) {
      return text;
    }
    if (!asked && asked.error().errno_code != ENOENT) {
      return Failure(asked.error());
    }
  }
  return std::nullopt;
}

}  // namespace finwait::kernel
