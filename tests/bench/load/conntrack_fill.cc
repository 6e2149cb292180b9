#include "tests/bench/load/conntrack_fill.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"

namespace finwait::bench {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::size_t kLargestMessage = 1024;
constexpr std::uint32_t kShortestLife = 3600;  // seconds

using Entry = std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)>;

// What the i-th entry is, out of twenty.
struct Kind {
  std::uint8_t protocol;
  std::uint8_t tcp_state;
};
Kind KindOf(std::size_t i) {
  constexpr std::uint8_t kStates[] = {TCP_CONNTRACK_TIME_WAIT, TCP_CONNTRACK_TIME_WAIT, TCP_CONNTRACK_CLOSE_WAIT,
                                      TCP_CONNTRACK_FIN_WAIT,  TCP_CONNTRACK_SYN_SENT,  TCP_CONNTRACK_LAST_ACK};
  const std::size_t position = i % 20;
  if (position == 19) {
    return {i % 40 == 19 ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_UDP}, 0};
  }
  if (position == 18) {
    return {IPPROTO_UDP, 0};
  }
  return {IPPROTO_TCP, position < std::size(kStates) ? kStates[position] : std::uint8_t{TCP_CONNTRACK_ESTABLISHED}};
}

void SetAddresses(nf_conntrack* entry, std::size_t i, bool ipv6) {
  // 50,000 ports a pair of addresses; clients in 198.18.0.0/16, servers in 198.19.0.0/16.
  const auto client = static_cast<std::uint32_t>(i / 50000);
  const auto server = static_cast<std::uint32_t>(i % 251);
  if (!ipv6) {
    nfct_set_attr_u8(entry, ATTR_L3PROTO, AF_INET);
    nfct_set_attr_u32(entry, ATTR_IPV4_SRC, htonl(0xc6120001U + client));
    nfct_set_attr_u32(entry, ATTR_IPV4_DST, htonl(0xc6130001U + server));
    return;
  }
  in6_addr address = {};
  address.s6_addr32[0] = htonl(0x20010db8);
  nfct_set_attr_u8(entry, ATTR_L3PROTO, AF_INET6);
  address.s6_addr32[3] = htonl(1 + client);
  nfct_set_attr(entry, ATTR_IPV6_SRC, &address);
  address.s6_addr32[2] = htonl(1);
  address.s6_addr32[3] = htonl(1 + server);
  nfct_set_attr(entry, ATTR_IPV6_DST, &address);
}

Entry MakeEntry(std::size_t i) {
  Entry entry(nfct_new(), &nfct_destroy);
  const Kind kind = KindOf(i);
  const bool ipv6 = i / 20 % 8 == 7 && kind.protocol != IPPROTO_ICMP;
  SetAddresses(entry.get(), i, ipv6);
  nfct_set_attr_u8(entry.get(), ATTR_L4PROTO, kind.protocol);
  const auto number = static_cast<std::uint16_t>(10000 + i % 50000);
  if (kind.protocol == IPPROTO_ICMP) {
    nfct_set_attr_u8(entry.get(), ATTR_ICMP_TYPE, 8);  // echo request
    nfct_set_attr_u8(entry.get(), ATTR_ICMP_CODE, 0);
    nfct_set_attr_u16(entry.get(), ATTR_ICMP_ID, htons(number));
  } else {
    nfct_set_attr_u16(entry.get(), ATTR_PORT_SRC, htons(number));
    nfct_set_attr_u16(entry.get(), ATTR_PORT_DST, htons(443));
  }
  nfct_setobjopt(entry.get(), NFCT_SOPT_SETUP_REPLY);
  std::uint32_t status = IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY;
  if (!ipv6 && i / 20 % 5 == 4 &&
      kind.protocol == IPPROTO_TCP) {  // as behind a service address: the answer comes from 198.19.255.1
    status |= IPS_DST_NAT | IPS_DST_NAT_DONE | IPS_SRC_NAT_DONE;
    nfct_set_attr_u32(entry.get(), ATTR_REPL_IPV4_SRC, htonl(0xc613ff01U));
    nfct_set_attr_u16(entry.get(), ATTR_REPL_PORT_SRC, htons(8443));
  }
  if (kind.protocol == IPPROTO_TCP) {
    nfct_set_attr_u8(entry.get(), ATTR_TCP_STATE, kind.tcp_state);
  }
  nfct_set_attr_u32(entry.get(), ATTR_STATUS, status);
  nfct_set_attr_u32(entry.get(), ATTR_TIMEOUT, kShortestLife + static_cast<std::uint32_t>(i * 7919 % 428000));
  return entry;
}

// The first refusal among the kernel's answers, which it sends only for those; 0 for none.
int FirstRefusal(int socket) {
  alignas(nlmsghdr) char buffer[65536];
  int refusal = 0;
  for (;;) {
    const ssize_t size = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size <= 0) {
      return refusal;
    }
    int left = static_cast<int>(size);
    for (const auto* head = reinterpret_cast<const nlmsghdr*>(buffer); mnl_nlmsg_ok(head, left);
         head = mnl_nlmsg_next(head, &left)) {
      if (head->nlmsg_type == NLMSG_ERROR && refusal == 0) {
        refusal = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(head))->error;
      }
    }
  }
}

void Send(int socket, const std::vector<char>& batch, std::size_t size) {
  if (size > 0 && ::send(socket, batch.data(), size, 0) < 0) {
    throw std::runtime_error(std::string("send conntrack entries: ") + std::strerror(errno));
  }
  if (const int refusal = FirstRefusal(socket); refusal != 0) {
    throw std::runtime_error(std::string("make conntrack entries: ") + std::strerror(refusal) +
                             (refusal == ENOMEM ? " (is nf_conntrack_max large enough?)" : ""));
  }
}

}  // namespace

std::size_t ConntrackCount() {
  std::size_t count = 0;
  std::ifstream("/proc/sys/net/netfilter/nf_conntrack_count") >> count;
  return count;
}

void FillConntrack(std::size_t entries) {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  const int send_buffer = 4 * kBatchBytes;
  if (!socket || ::setsockopt(socket.Get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer) != 0) {
    throw std::runtime_error(std::string("open a netlink socket: ") + std::strerror(errno));
  }
  const std::size_t before = ConntrackCount();
  std::vector<char> batch(kBatchBytes);
  std::size_t used = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    if (used + kLargestMessage > batch.size()) {
      Send(socket.Get(), batch, used);
      used = 0;
    }
    nlmsghdr* head = mnl_nlmsg_put_header(batch.data() + used);
    head->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
    head->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
    const Entry entry = MakeEntry(i);
    auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(head, sizeof(nfgenmsg)));
    family->nfgen_family = nfct_get_attr_u8(entry.get(), ATTR_L3PROTO);
    family->version = NFNETLINK_V0;
    if (nfct_nlmsg_build(head, entry.get()) < 0) {
      throw std::runtime_error("encode a conntrack entry");
    }
    used += MNL_ALIGN(head->nlmsg_len);
  }
  Send(socket.Get(), batch, used);
  if (ConntrackCount() < before + entries) {
    throw std::runtime_error("of " + std::to_string(entries) + " conntrack entries only " +
                             std::to_string(ConntrackCount() - before) + " are there");
  }
}

}  // namespace finwait::bench
