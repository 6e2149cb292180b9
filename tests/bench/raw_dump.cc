#include "tests/bench/raw_dump.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter_ipv4/ip_tables.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"

namespace finwait::bench {
namespace {

[[noreturn]] void Throw(const char* what) { throw std::runtime_error(std::string(what) + ": " + std::strerror(errno)); }

/// One request with its family header.
struct Request {
  alignas(nlmsghdr) char bytes[256] = {};

  template <typename T>
  Request(std::uint16_t type, std::uint16_t flags, const T& header) {
    nlmsghdr* head = mnl_nlmsg_put_header(bytes);
    head->nlmsg_type = type;
    head->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    std::memcpy(mnl_nlmsg_put_extra_header(head, sizeof header), &header, sizeof header);
  }
  std::size_t Size() const { return reinterpret_cast<const nlmsghdr*>(bytes)->nlmsg_len; }
};

std::size_t Exchange(int protocol, const Request& request) {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket || ::send(socket.Get(), request.bytes, request.Size(), 0) < 0) {
    Throw("raw dump");
  }
  alignas(nlmsghdr) static thread_local char buffer[64 * 1024];
  std::size_t total = 0;
  for (;;) {
    const ssize_t size = ::recv(socket.Get(), buffer, sizeof buffer, 0);
    if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) {
      Throw("raw dump");
    }
    total += static_cast<std::size_t>(size);
    const auto* head = reinterpret_cast<const nlmsghdr*>(buffer);  // DONE and ERROR come in a datagram of their own
    if (head->nlmsg_type == NLMSG_ERROR) {
      errno = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(head))->error;
      Throw("raw dump");
    }
    if (head->nlmsg_type == NLMSG_DONE || (head->nlmsg_flags & NLM_F_MULTI) == 0) {
      return total;
    }
  }
}

std::uint16_t Type(int subsystem, int message) { return static_cast<std::uint16_t>(subsystem << 8 | message); }

}  // namespace

std::size_t RawConntrackDump() {
  return Exchange(NETLINK_NETFILTER, Request(Type(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET), NLM_F_DUMP,
                                             nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}));
}

std::size_t RawSocketDump(std::uint32_t states, std::uint8_t extensions) {
  std::size_t total = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    inet_diag_req_v2 header = {};
    header.sdiag_family = static_cast<std::uint8_t>(family);
    header.sdiag_protocol = IPPROTO_TCP;
    header.idiag_ext = extensions;
    header.idiag_states = states;
    total += Exchange(NETLINK_SOCK_DIAG, Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, header));
  }
  return total;
}

std::size_t RawNftRulesDump() {
  return Exchange(NETLINK_NETFILTER, Request(Type(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE), NLM_F_DUMP,
                                             nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}));
}

std::size_t RawNftGeneration() {
  return Exchange(NETLINK_NETFILTER,
                  Request(Type(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN), 0, nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}));
}

std::size_t RawLegacyTable(const char* name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ipt_getinfo info = {};
  std::strncpy(info.name, name, sizeof info.name - 1);
  socklen_t size = sizeof info;
  if (!socket || ::getsockopt(socket.Get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) != 0) {
    Throw("IPT_SO_GET_INFO");
  }
  std::vector<char> blob(sizeof(ipt_get_entries) + info.size);
  auto* entries = reinterpret_cast<ipt_get_entries*>(blob.data());
  std::strncpy(entries->name, name, sizeof entries->name - 1);
  entries->size = info.size;
  size = static_cast<socklen_t>(blob.size());
  if (::getsockopt(socket.Get(), IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &size) != 0) {
    Throw("IPT_SO_GET_ENTRIES");
  }
  return blob.size();
}

}  // namespace finwait::bench
