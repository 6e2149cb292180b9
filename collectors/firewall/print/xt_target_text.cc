#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_NFLOG.h>
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "collectors/firewall/print/value_text.h"
#include "collectors/firewall/print/xt_text.h"

namespace finwait::firewall::print {
namespace {

using Text = std::optional<std::string>;

std::string_view Bounded(const char* text, std::size_t size) { return {text, strnlen(text, size)}; }

Text RejectText(const XtTarget& target, bool ipv6) {
  // In the order of ipt_reject_with and ip6t_reject_with; null where iptables has no name.
  static constexpr const char* kIpv4[] = {"icmp-net-unreachable",
                                          "icmp-host-unreachable",
                                          "icmp-proto-unreachable",
                                          "icmp-port-unreachable",
                                          nullptr,
                                          "icmp-net-prohibited",
                                          "icmp-host-prohibited",
                                          "tcp-reset",
                                          "icmp-admin-prohibited"};
  static constexpr const char* kIpv6[] = {"icmp6-no-route",
                                          "icmp6-adm-prohibited",
                                          nullptr,
                                          "icmp6-addr-unreachable",
                                          "icmp6-port-unreachable",
                                          nullptr,
                                          "tcp-reset",
                                          "icmp6-policy-fail",
                                          "icmp6-reject-route"};
  static_assert(IPT_ICMP_ADMIN_PROHIBITED == std::size(kIpv4) - 1 && IP6T_ICMP6_REJECT_ROUTE == std::size(kIpv6) - 1);
  const auto with = XtInfo<std::uint32_t>(target.info);  // all there is in ipt_reject_info and ip6t_reject_info
  const char* name = with && *with < std::size(kIpv4) ? (ipv6 ? kIpv6 : kIpv4)[*with] : nullptr;
  return name != nullptr ? Text(std::string(" --reject-with ") + name) : std::nullopt;
}

Text LogText(const XtTarget& target, bool) {
  constexpr unsigned kDefaultLevel = 4;  // warning
  static constexpr NamedBit kFlags[] = {{XT_LOG_TCPSEQ, " --log-tcp-sequence"},
                                        {XT_LOG_TCPOPT, " --log-tcp-options"},
                                        {XT_LOG_IPOPT, " --log-ip-options"},
                                        {XT_LOG_UID, " --log-uid"},
                                        {XT_LOG_MACDECODE, " --log-macdecode"}};
  const auto info = XtInfo<xt_log_info>(target.info);
  if (!info) {
    return std::nullopt;
  }
  std::string text;
  if (info->prefix[0] != '\0') {
    text += " --log-prefix " + XtQuoted(Bounded(info->prefix, sizeof info->prefix));
  }
  if (info->level != kDefaultLevel) {
    text += " --log-level " + std::to_string(info->level);
  }
  for (const NamedBit& flag : kFlags) {
    text += (info->logflags & flag.bit) != 0 ? flag.name : "";
  }
  return text;
}

Text NflogText(const XtTarget& target, bool) {
  const auto info = XtInfo<xt_nflog_info>(target.info);
  if (!info || info->len != 0 || info->threshold != XT_NFLOG_DEFAULT_THRESHOLD) {
    return std::nullopt;
  }
  std::string text;
  if (info->prefix[0] != '\0') {
    text += " --nflog-prefix " + XtQuoted(Bounded(info->prefix, sizeof info->prefix));
  }
  return info->group != 0 ? text + " --nflog-group " + std::to_string(info->group) : text;
}

Text MarkText(const XtTarget& target, bool) {
  const auto info = XtInfo<xt_mark_tginfo2>(target.info);
  if (target.revision != 2 || !info) {
    return std::nullopt;
  }
  return " --set-xmark " + HexText(info->mark) + "/" + HexText(info->mask);
}

Text ConnmarkText(const XtTarget& target, bool) {
  const auto info = XtInfo<xt_connmark_tginfo1>(target.info);
  if ((target.revision != 1 && target.revision != 2) || !info) {
    return std::nullopt;
  }
  std::uint8_t mode = info->mode;
  if (target.revision == 2) {
    const auto shifted = XtInfo<xt_connmark_tginfo2>(target.info);
    if (!shifted || shifted->shift_bits != 0) {
      return std::nullopt;
    }
    mode = shifted->mode;
  }
  if (mode == XT_CONNMARK_SET) {
    return " --set-xmark " + HexText(info->ctmark) + "/" + HexText(info->ctmask);
  }
  return (mode == XT_CONNMARK_SAVE ? " --save-mark" : " --restore-mark") + std::string(" --nfmask ") +
         HexText(info->nfmask) + " --ctmask " + HexText(info->ctmask);
}

Text CtText(const XtTarget& target, bool) {
  constexpr std::uint16_t kKnown = XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS;
  const auto info = XtInfo<xt_ct_target_info>(target.info);
  if (!info || (info->flags & ~kKnown) != 0 || info->ct_events != 0 || info->exp_events != 0) {
    return std::nullopt;
  }
  std::string text;
  if ((info->flags & XT_CT_NOTRACK) != 0) {
    text += " --notrack";
  }
  if (info->helper[0] != '\0') {
    text += " --helper " + std::string(Bounded(info->helper, sizeof info->helper));
  }
  return info->zone != 0 ? text + " --zone " + std::to_string(info->zone) : text;
}

Text TcpMssText(const XtTarget& target, bool) {
  const auto info = XtInfo<xt_tcpmss_info>(target.info);
  if (!info) {
    return std::nullopt;
  }
  return info->mss == XT_TCPMSS_CLAMP_PMTU ? " --clamp-mss-to-pmtu" : " --set-mss " + std::to_string(info->mss);
}

// What NAT targets have in common, whatever revision they keep it in.
struct NatRange {
  std::uint32_t flags = 0;
  std::string address_min;
  std::string address_max;
  std::uint16_t port_min = 0;  // in network order
  std::uint16_t port_max = 0;
};

std::uint16_t HostPort(std::uint16_t port) {
  return static_cast<std::uint16_t>(BigEndianNumber(std::as_bytes(std::span(&port, 1))));
}

std::optional<NatRange> DecodeNat(const XtTarget& target, bool ipv6) {
  // IPv4 keeps revision 0 of SNAT, DNAT, MASQUERADE and REDIRECT in a structure of its own.
  const bool compat = !ipv6 && target.revision == 0;
  if (compat) {
    const auto info = XtInfo<nf_nat_ipv4_multi_range_compat>(target.info);
    if (!info || info->rangesize != 1) {
      return std::nullopt;
    }
    const nf_nat_ipv4_range& range = info->range[0];
    return NatRange{range.flags, AddressText(std::as_bytes(std::span(&range.min_ip, 1))),
                    AddressText(std::as_bytes(std::span(&range.max_ip, 1))), HostPort(range.min.all),
                    HostPort(range.max.all)};
  }
  const auto range = XtInfo<nf_nat_range>(target.info);
  if (!range) {
    return std::nullopt;
  }
  const std::size_t size = ipv6 ? 16 : 4;
  return NatRange{range->flags, AddressText(std::as_bytes(std::span(&range->min_addr, 1)).first(size)),
                  AddressText(std::as_bytes(std::span(&range->max_addr, 1)).first(size)),
                  HostPort(range->min_proto.all), HostPort(range->max_proto.all)};
}

std::string NatFlags(std::uint32_t flags) {
  static constexpr NamedBit kFlags[] = {{NF_NAT_RANGE_PROTO_RANDOM, " --random"},
                                        {NF_NAT_RANGE_PROTO_RANDOM_FULLY, " --random-fully"},
                                        {NF_NAT_RANGE_PERSISTENT, " --persistent"}};
  std::string text;
  for (const NamedBit& flag : kFlags) {
    text += (flags & flag.bit) != 0 ? flag.name : "";
  }
  return text;
}

std::string NatPorts(const NatRange& range) {
  return std::to_string(range.port_min) +
         (range.port_min == range.port_max ? "" : "-" + std::to_string(range.port_max));
}

Text AddressNatText(const XtTarget& target, bool ipv6) {
  const auto range = DecodeNat(target, ipv6);
  if (!range) {
    return std::nullopt;
  }
  std::string text = target.name == "SNAT" ? " --to-source " : " --to-destination ";
  const bool has_ports = (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
  if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) {
    const std::string addresses =
        range->address_min + (range->address_min == range->address_max ? "" : "-" + range->address_max);
    text += ipv6 && has_ports ? "[" + addresses + "]" : addresses;
  }
  return text + (has_ports ? ":" + NatPorts(*range) : "") + NatFlags(range->flags);
}

Text PortNatText(const XtTarget& target, bool ipv6) {
  const auto range = DecodeNat(target, ipv6);
  if (!range) {
    return std::nullopt;
  }
  const bool has_ports = (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
  return (has_ports ? " --to-ports " + NatPorts(*range) : "") + NatFlags(range->flags);
}

struct Printer {
  std::string_view name;
  Text (*print)(const XtTarget& target, bool ipv6);  ///< nothing: of a shape that it does not know
};

constexpr Printer kPrinters[] = {
    {"CONNMARK", ConnmarkText}, {"CT", CtText},
    {"DNAT", AddressNatText},   {"LOG", LogText},
    {"MARK", MarkText},         {"MASQUERADE", PortNatText},
    {"NFLOG", NflogText},       {"REDIRECT", PortNatText},
    {"REJECT", RejectText},     {"SNAT", AddressNatText},
    {"TCPMSS", TcpMssText},
};

bool IsNotrackAlias(const XtTarget& target) {
  const auto info = XtInfo<xt_ct_target_info>(target.info);
  return target.name == "CT" && info && (info->flags & XT_CT_NOTRACK_ALIAS) != 0;
}

}  // namespace

std::string XtTargetText(const XtTarget& target, bool ipv6) {
  if (IsNotrackAlias(target)) {
    return "-j NOTRACK";
  }
  const auto printer = std::find_if(std::begin(kPrinters), std::end(kPrinters),
                                    [&](const Printer& candidate) { return candidate.name == target.name; });
  const Text options = printer != std::end(kPrinters) ? printer->print(target, ipv6)
                       : target.info.empty()          ? Text("")
                                                      : std::nullopt;
  return "-j " + target.name + options.value_or(" [...]");
}

}  // namespace finwait::firewall::print
