#include "collectors/witness/drop.h"

#include <algorithm>
#include <iterator>

namespace finwait::witness {
namespace {

constexpr std::string_view kPrefix = "SKB_DROP_REASON_";

// No losses: TCP, or a socket, has had the packet and needs it no more. A reset for which there is no socket is what is
// left of a connection that has closed.
constexpr std::string_view kNoLoss[] = {"NOT_SPECIFIED",     "NO_SOCKET",  "SOCKET_CLOSE",    "SOCKET_RCVBUFF",
                                        "SOCKET_BACKLOG",    "PROTO_MEM",  "OTHERHOST",       "DUP_FRAG",
                                        "QUEUE_PURGE",       "MAX",        "UNIX_DISCONNECT", "UNIX_SKIP_OOB",
                                        "PACKET_SOCK_ERROR", "SUBSYS_MASK"};
// But these never came to TCP.
constexpr std::string_view kNotYetTcp[] = {"TCP_CSUM", "TCP_MINTTL"};

struct NamedClass {
  std::string_view start;
  ReasonClass reason;
};
constexpr NamedClass kClasses[] = {
    {"NETFILTER", ReasonClass::kNetfilter},
    {"IP_OUTNOROUTES", ReasonClass::kRoute},
    {"IP_INNOROUTES", ReasonClass::kRoute},
    {"IP_RPFILTER", ReasonClass::kRoute},
    {"IP_INADDRERRORS", ReasonClass::kRoute},
    {"IP_LOCAL", ReasonClass::kRoute},
    {"IP_INVALID", ReasonClass::kRoute},
    {"IPV6DISABLED", ReasonClass::kRoute},
    {"NEIGH_", ReasonClass::kRoute},
    {"PKT_TOO_BIG", ReasonClass::kRoute},
    {"QDISC_", ReasonClass::kQdisc},
    {"TC_", ReasonClass::kQdisc},
    {"CAKE_", ReasonClass::kQdisc},
    {"FQ_", ReasonClass::kQdisc},
    {"DUALPI2_", ReasonClass::kQdisc},
    {"XDP", ReasonClass::kBpf},
    {"BPF_", ReasonClass::kBpf},
    {"SOCKET_FILTER", ReasonClass::kBpf},
    {"DEV_", ReasonClass::kDevice},
    {"FULL_RING", ReasonClass::kDevice},
    {"CPU_BACKLOG", ReasonClass::kDevice},
    {"NOMEM", ReasonClass::kDevice},
    {"TAP_", ReasonClass::kDevice},
    {"HDR_TRUNC", ReasonClass::kDevice},
    {"SKB_GSO_SEG", ReasonClass::kDevice},
    {"SKB_UCOPY_FAULT", ReasonClass::kDevice},
    {"NO_TX_TARGET", ReasonClass::kDevice},
    {"PFMEMALLOC", ReasonClass::kDevice},
};

}  // namespace

std::string_view Name(ReasonClass reason) {
  constexpr std::string_view kNames[] = {"netfilter", "route", "device", "qdisc", "bpf", "other"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::string_view Words(ReasonClass reason) {
  constexpr std::string_view kWords[] = {"a rule, or else in a hook of netfilter's",
                                         "routing: no route, or no answer from the next hop",
                                         "the device",
                                         "a queueing discipline or a filter of tc",
                                         "a BPF program (XDP, or of a control group)",
                                         "something else"};
  return kWords[static_cast<std::size_t>(reason)];
}

std::optional<ReasonClass> ClassOfReason(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;  // SKB_NOT_DROPPED_YET, SKB_CONSUMED
  }
  name.remove_prefix(kPrefix.size());
  const auto is_in = [name](const auto& list) { return std::ranges::find(list, name) != std::end(list); };
  if (is_in(kNoLoss) || (name.starts_with("TCP_") && !is_in(kNotYetTcp))) {
    return std::nullopt;
  }
  const auto found =
      std::ranges::find_if(kClasses, [name](const NamedClass& one) { return name.starts_with(one.start); });
  return found == std::end(kClasses) ? ReasonClass::kOther : found->reason;
}

}  // namespace finwait::witness
