#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_helper.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_nfacct.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_tcpmss.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv4/ipt_ttl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "collectors/firewall/print/value_text.h"
#include "collectors/firewall/print/xt_conntrack_text.h"
#include "collectors/firewall/print/xt_text.h"

namespace finwait::firewall::print {
namespace {

using Text = std::optional<std::string>;

std::string Not(bool inverted) { return inverted ? " !" : ""; }

kernel::netlink::Bytes AddressBytes(const nf_inet_addr& address, bool ipv6) {
  return std::as_bytes(std::span(&address, 1)).first(ipv6 ? 16 : 4);
}

Text AddrTypeText(const XtMatch& match, bool) {
  static constexpr NamedBit kTypes[] = {{XT_ADDRTYPE_UNSPEC, "UNSPEC"},
                                        {XT_ADDRTYPE_UNICAST, "UNICAST"},
                                        {XT_ADDRTYPE_LOCAL, "LOCAL"},
                                        {XT_ADDRTYPE_BROADCAST, "BROADCAST"},
                                        {XT_ADDRTYPE_ANYCAST, "ANYCAST"},
                                        {XT_ADDRTYPE_MULTICAST, "MULTICAST"},
                                        {XT_ADDRTYPE_BLACKHOLE, "BLACKHOLE"},
                                        {XT_ADDRTYPE_UNREACHABLE, "UNREACHABLE"},
                                        {XT_ADDRTYPE_PROHIBIT, "PROHIBIT"},
                                        {XT_ADDRTYPE_THROW, "THROW"},
                                        {XT_ADDRTYPE_NAT, "NAT"},
                                        {XT_ADDRTYPE_XRESOLVE, "XRESOLVE"}};
  const auto info = XtInfo<xt_addrtype_info_v1>(match.info);
  if (match.revision != 1 || !info) {
    return std::nullopt;
  }
  std::string text;
  if (info->source != 0) {
    text += Not((info->flags & XT_ADDRTYPE_INVERT_SOURCE) != 0) + " --src-type " + BitsText(info->source, kTypes, ",");
  }
  if (info->dest != 0) {
    text += Not((info->flags & XT_ADDRTYPE_INVERT_DEST) != 0) + " --dst-type " + BitsText(info->dest, kTypes, ",");
  }
  if ((info->flags & XT_ADDRTYPE_LIMIT_IFACE_IN) != 0) {
    text += " --limit-iface-in";
  }
  if ((info->flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) != 0) {
    text += " --limit-iface-out";
  }
  return text;
}

Text CommentText(const XtMatch& match, bool) {
  return " --comment " + XtQuoted(kernel::netlink::Attribute(0, match.info).Text());
}

// xt_mark_mtinfo1 and xt_connmark_mtinfo1 are laid out alike.
Text MarkText(const XtMatch& match, bool) {
  static_assert(sizeof(xt_mark_mtinfo1) == sizeof(xt_connmark_mtinfo1));
  const auto info = XtInfo<xt_mark_mtinfo1>(match.info);
  if (match.revision != 1 || !info) {
    return std::nullopt;
  }
  return Not(info->invert != 0) + " --mark " + HexText(info->mark) +
         (info->mask == 0xffffffff ? "" : "/" + HexText(info->mask));
}

Text DscpText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_dscp_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  const auto value = static_cast<std::byte>(info->dscp);
  return Not(info->invert != 0) + " --dscp " + HexBytesText(kernel::netlink::Bytes(&value, 1));
}

Text HelperText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_helper_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  return Not(info->invert != 0) + " --helper " + XtQuoted({info->name, strnlen(info->name, sizeof info->name)});
}

Text HopLimitText(const XtMatch& match, bool ipv6) {
  const auto info = XtInfo<ipt_ttl_info>(match.info);  // ip6t_hl_info is laid out alike
  static constexpr const char* kModes[] = {"-eq", "-eq", "-lt", "-gt"};
  if (!info || info->mode >= std::size(kModes)) {
    return std::nullopt;
  }
  return Not(info->mode == IPT_TTL_NE) + (ipv6 ? " --hl" : " --ttl") + kModes[info->mode] + " " +
         std::to_string(info->ttl);
}

Text IcmpText(const XtMatch& match, bool ipv6) {
  constexpr std::uint8_t kAny = 0xff;
  const auto info = XtInfo<ipt_icmp>(match.info);  // ip6t_icmp is laid out alike
  if (!info || (info->code[0] != info->code[1] && (info->code[0] != 0 || info->code[1] != kAny))) {
    return std::nullopt;
  }
  std::string text = Not((info->invflags & IPT_ICMP_INV) != 0) + (ipv6 ? " --icmpv6-type " : " --icmp-type ");
  if (!ipv6 && info->type == kAny) {
    return text + "any";
  }
  text += std::to_string(info->type);
  return info->code[0] == info->code[1] ? text + "/" + std::to_string(info->code[0]) : text;
}

Text IpRangeText(const XtMatch& match, bool ipv6) {
  const auto info = XtInfo<xt_iprange_mtinfo>(match.info);
  if (match.revision != 1 || !info) {
    return std::nullopt;
  }
  const auto range = [&](const nf_inet_addr& from, const nf_inet_addr& to) {
    return AddressText(AddressBytes(from, ipv6)) + "-" + AddressText(AddressBytes(to, ipv6));
  };
  std::string text;
  if ((info->flags & IPRANGE_SRC) != 0) {
    text += Not((info->flags & IPRANGE_SRC_INV) != 0) + " --src-range " + range(info->src_min, info->src_max);
  }
  if ((info->flags & IPRANGE_DST) != 0) {
    text += Not((info->flags & IPRANGE_DST_INV) != 0) + " --dst-range " + range(info->dst_min, info->dst_max);
  }
  return text;
}

Text LengthText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_length_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  return Not(info->invert != 0) + " --length " + PortRangeText(info->min, info->max);
}

Text LimitText(const XtMatch& match, bool) {
  constexpr std::uint32_t kDefaultBurst = 5;
  const auto info = XtInfo<xt_rateinfo>(match.info);
  if (!info || info->avg == 0) {
    return std::nullopt;
  }
  return " --limit " + XtRateText(info->avg) +
         (info->burst == kDefaultBurst ? "" : " --limit-burst " + std::to_string(info->burst));
}

Text MacText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_mac_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  std::array<char, 18> text = {};
  const unsigned char* address = info->srcaddr;
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", address[0], address[1], address[2],
                address[3], address[4], address[5]);
  return Not(info->invert != 0) + " --mac-source " + text.data();
}

Text MultiportText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_multiport_v1>(match.info);
  static constexpr const char* kOptions[] = {" --sports ", " --dports ", " --ports "};
  if (match.revision != 1 || !info || info->flags >= std::size(kOptions) || info->count > XT_MULTI_PORTS) {
    return std::nullopt;
  }
  std::string text = Not(info->invert != 0) + kOptions[info->flags];
  for (int i = 0; i < info->count; ++i) {
    text += std::to_string(info->ports[i]);
    if (i + 1 < info->count) {
      text += info->pflags[i] != 0 ? ":" : ",";
    }
  }
  return text;
}

Text NfacctText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_nfacct_match_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  return " --nfacct-name " + XtQuoted({info->name, strnlen(info->name, sizeof info->name)});
}

Text OwnerText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_owner_match_info>(match.info);
  if (match.revision != 1 || !info) {
    return std::nullopt;
  }
  const auto range = [](std::uint32_t from, std::uint32_t to) {
    return std::to_string(from) + (from == to ? "" : "-" + std::to_string(to));
  };
  std::string text;
  if ((info->match & XT_OWNER_SOCKET) != 0) {
    text += Not((info->invert & XT_OWNER_SOCKET) != 0) + " --socket-exists";
  }
  if ((info->match & XT_OWNER_UID) != 0) {
    text += Not((info->invert & XT_OWNER_UID) != 0) + " --uid-owner " + range(info->uid_min, info->uid_max);
  }
  if ((info->match & XT_OWNER_GID) != 0) {
    text += Not((info->invert & XT_OWNER_GID) != 0) + " --gid-owner " + range(info->gid_min, info->gid_max);
  }
  return text;
}

Text PacketTypeText(const XtMatch& match, bool) {
  static constexpr const char* kTypes[] = {"unicast", "broadcast", "multicast"};
  const auto info = XtInfo<xt_pkttype_info>(match.info);
  if (!info || info->pkttype < 0 || info->pkttype >= static_cast<int>(std::size(kTypes))) {
    return std::nullopt;
  }
  return Not(info->invert != 0) + " --pkt-type " + kTypes[info->pkttype];
}

Text ReversePathText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_rpfilter_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  std::string text;
  for (const NamedBit& option :
       {NamedBit{XT_RPFILTER_LOOSE, " --loose"}, NamedBit{XT_RPFILTER_VALID_MARK, " --validmark"},
        NamedBit{XT_RPFILTER_ACCEPT_LOCAL, " --accept-local"}, NamedBit{XT_RPFILTER_INVERT, " --invert"}}) {
    text += (info->flags & option.bit) != 0 ? option.name : "";
  }
  return text;
}

Text StatisticText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_statistic_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  const std::string inverted = Not((info->flags & XT_STATISTIC_INVERT) != 0);
  if (info->mode == XT_STATISTIC_MODE_RANDOM) {
    std::array<char, 32> share = {};
    std::snprintf(share.data(), share.size(), "%.11f", info->u.random.probability / 2147483648.0);
    return " --mode random" + inverted + " --probability " + share.data();
  }
  return " --mode nth" + inverted + " --every " + std::to_string(info->u.nth.every + 1) + " --packet " +
         std::to_string(info->u.nth.packet);
}

Text TcpText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_tcp>(match.info);
  if (!info) {
    return std::nullopt;
  }
  std::string text;
  const auto ports = [&](const __u16* range, std::uint8_t inverted, const char* option) {
    if (range[0] != 0 || range[1] != 0xffff || (info->invflags & inverted) != 0) {
      text += Not((info->invflags & inverted) != 0) + option + PortRangeText(range[0], range[1]);
    }
  };
  ports(info->spts, XT_TCP_INV_SRCPT, " --sport ");
  ports(info->dpts, XT_TCP_INV_DSTPT, " --dport ");
  if (info->option != 0 || (info->invflags & XT_TCP_INV_OPTION) != 0) {
    text += Not((info->invflags & XT_TCP_INV_OPTION) != 0) + " --tcp-option " + std::to_string(info->option);
  }
  if (info->flg_mask != 0 || (info->invflags & XT_TCP_INV_FLAGS) != 0) {
    text += Not((info->invflags & XT_TCP_INV_FLAGS) != 0) + " --tcp-flags " + XtTcpFlagsText(info->flg_mask) + " " +
            XtTcpFlagsText(info->flg_cmp);
  }
  return text;
}

Text TcpMssText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_tcpmss_match_info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  return Not(info->invert != 0) + " --mss " + PortRangeText(info->mss_min, info->mss_max);
}

Text UdpText(const XtMatch& match, bool) {
  const auto info = XtInfo<xt_udp>(match.info);
  if (!info) {
    return std::nullopt;
  }
  std::string text;
  if (info->spts[0] != 0 || info->spts[1] != 0xffff || (info->invflags & XT_UDP_INV_SRCPT) != 0) {
    text += Not((info->invflags & XT_UDP_INV_SRCPT) != 0) + " --sport " + PortRangeText(info->spts[0], info->spts[1]);
  }
  if (info->dpts[0] != 0 || info->dpts[1] != 0xffff || (info->invflags & XT_UDP_INV_DSTPT) != 0) {
    text += Not((info->invflags & XT_UDP_INV_DSTPT) != 0) + " --dport " + PortRangeText(info->dpts[0], info->dpts[1]);
  }
  return text;
}

struct Printer {
  std::string_view name;
  Text (*print)(const XtMatch& match, bool ipv6);  ///< nothing: of a shape that it does not know
};

constexpr Printer kPrinters[] = {
    {"addrtype", AddrTypeText},
    {"comment", CommentText},
    {"connmark", MarkText},
    {"conntrack", XtConntrackText},
    {"dscp", DscpText},
    {"helper", HelperText},
    {"hl", HopLimitText},
    {"icmp", IcmpText},
    {"icmp6", IcmpText},
    {"iprange", IpRangeText},
    {"length", LengthText},
    {"limit", LimitText},
    {"mac", MacText},
    {"mark", MarkText},
    {"multiport", MultiportText},
    {"nfacct", NfacctText},
    {"owner", OwnerText},
    {"pkttype", PacketTypeText},
    {"rpfilter", ReversePathText},
    {"state", XtStateText},
    {"statistic", StatisticText},
    {"tcp", TcpText},
    {"tcpmss", TcpMssText},
    {"ttl", HopLimitText},
    {"udp", UdpText},
};

}  // namespace

std::string XtMatchText(const XtMatch& match, bool ipv6) {
  const auto printer = std::find_if(std::begin(kPrinters), std::end(kPrinters),
                                    [&](const Printer& candidate) { return candidate.name == match.name; });
  const Text options = printer != std::end(kPrinters) ? printer->print(match, ipv6) : std::nullopt;
  const bool state = match.name == "conntrack" && IsStateAlias(match);
  return "-m " + (state ? "state" : match.name) + options.value_or(" [...]");
}

std::string XtQuoted(std::string_view text) {
  constexpr std::string_view kPlain = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\' || character == '\'') {
      quoted += '\\';
    }
    quoted += character;
  }
  return quoted + "\"";
}

std::string PortRangeText(std::uint16_t first, std::uint16_t last) {
  return std::to_string(first) + (first == last ? "" : ":" + std::to_string(last));
}

std::string XtTcpFlagsText(std::uint32_t flags) {
  static constexpr NamedBit kFlags[] = {{0x01, "FIN"}, {0x02, "SYN"}, {0x04, "RST"},
                                        {0x08, "PSH"}, {0x10, "ACK"}, {0x20, "URG"}};
  return flags == 0 ? "NONE" : BitsText(flags, kFlags, ",");
}

std::string XtRateText(std::uint32_t period) {
  struct Unit {
    const char* name;
    std::uint32_t scale;
  };
  static constexpr Unit kUnits[] = {{"day", XT_LIMIT_SCALE * 24 * 60 * 60},
                                    {"hour", XT_LIMIT_SCALE * 60 * 60},
                                    {"min", XT_LIMIT_SCALE * 60},
                                    {"sec", XT_LIMIT_SCALE}};
  // The smallest unit that still gives a whole number without much of a remainder, as iptables chooses it.
  const Unit* chosen = kUnits;
  for (const Unit& unit : kUnits) {
    if (period > unit.scale || unit.scale / period < unit.scale % period) {
      break;
    }
    chosen = &unit;
  }
  return std::to_string(chosen->scale / period) + "/" + chosen->name;
}

}  // namespace finwait::firewall::print
