#include "collectors/firewall/print/xt_conntrack_text.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include "collectors/firewall/print/value_text.h"
#include "collectors/firewall/print/xt_text.h"

namespace finwait::firewall::print {
namespace {

constexpr NamedBit kStates[] = {{XT_CONNTRACK_STATE_INVALID, "INVALID"},
                                {XT_CONNTRACK_STATE_BIT(IP_CT_NEW), "NEW"},
                                {XT_CONNTRACK_STATE_BIT(IP_CT_RELATED), "RELATED"},
                                {XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED), "ESTABLISHED"},
                                {XT_CONNTRACK_STATE_UNTRACKED, "UNTRACKED"},
                                {XT_CONNTRACK_STATE_SNAT, "SNAT"},
                                {XT_CONNTRACK_STATE_DNAT, "DNAT"}};

constexpr NamedBit kStatuses[] = {
    {IPS_EXPECTED, "EXPECTED"}, {IPS_SEEN_REPLY, "SEEN_REPLY"}, {IPS_ASSURED, "ASSURED"}, {IPS_CONFIRMED, "CONFIRMED"}};

// The three revisions in the shape of the newest. Until revision 2 ports are single and in network order.
template <typename Older>
xt_conntrack_mtinfo3 Newest(const Older& older) {
  xt_conntrack_mtinfo3 info = {};
  info.origsrc_addr = older.origsrc_addr;
  info.origsrc_mask = older.origsrc_mask;
  info.origdst_addr = older.origdst_addr;
  info.origdst_mask = older.origdst_mask;
  info.replsrc_addr = older.replsrc_addr;
  info.replsrc_mask = older.replsrc_mask;
  info.repldst_addr = older.repldst_addr;
  info.repldst_mask = older.repldst_mask;
  info.expires_min = older.expires_min;
  info.expires_max = older.expires_max;
  info.l4proto = older.l4proto;
  info.origsrc_port = info.origsrc_port_high = ntohs(older.origsrc_port);
  info.origdst_port = info.origdst_port_high = ntohs(older.origdst_port);
  info.replsrc_port = info.replsrc_port_high = ntohs(older.replsrc_port);
  info.repldst_port = info.repldst_port_high = ntohs(older.repldst_port);
  info.match_flags = older.match_flags;
  info.invert_flags = older.invert_flags;
  info.state_mask = older.state_mask;
  info.status_mask = older.status_mask;
  return info;
}

std::optional<xt_conntrack_mtinfo3> Decode(const XtMatch& match) {
  if (match.revision == 3) {
    return XtInfo<xt_conntrack_mtinfo3>(match.info);
  }
  if (match.revision == 2) {
    const auto info = XtInfo<xt_conntrack_mtinfo2>(match.info);
    return info ? std::optional(Newest(*info)) : std::nullopt;
  }
  if (match.revision == 1) {
    const auto info = XtInfo<xt_conntrack_mtinfo1>(match.info);
    return info ? std::optional(Newest(*info)) : std::nullopt;
  }
  return std::nullopt;
}

std::string NetworkText(const nf_inet_addr& address, const nf_inet_addr& mask, bool ipv6) {
  const std::size_t size = ipv6 ? 16 : 4;
  const auto mask_bytes = std::as_bytes(std::span(&mask, 1)).first(size);
  const int length = PrefixLength(mask_bytes);
  std::string text = AddressText(std::as_bytes(std::span(&address, 1)).first(size));
  if (length < 0) {
    return text + "/" + AddressText(mask_bytes);
  }
  return length == static_cast<int>(size) * 8 ? text : text + "/" + std::to_string(length);
}

}  // namespace

bool IsStateAlias(const XtMatch& match) {
  const auto info = Decode(match);
  return info && (info->match_flags & XT_CONNTRACK_STATE_ALIAS) != 0;
}

std::optional<std::string> XtConntrackText(const XtMatch& match, bool ipv6) {
  const auto decoded = Decode(match);
  if (!decoded) {
    return std::nullopt;
  }
  const xt_conntrack_mtinfo3& info = *decoded;
  std::string text;
  const auto add = [&](unsigned flag, const std::string& option) {
    if ((info.match_flags & flag) != 0) {
      text += ((info.invert_flags & flag) != 0 ? " ! --" : " --") + option;
    }
  };
  const bool alias = (info.match_flags & XT_CONNTRACK_STATE_ALIAS) != 0;
  add(XT_CONNTRACK_STATE, (alias ? "state " : "ctstate ") + BitsText(info.state_mask, kStates, ","));
  add(XT_CONNTRACK_PROTO, "ctproto " + std::to_string(info.l4proto));
  add(XT_CONNTRACK_ORIGSRC, "ctorigsrc " + NetworkText(info.origsrc_addr, info.origsrc_mask, ipv6));
  add(XT_CONNTRACK_ORIGDST, "ctorigdst " + NetworkText(info.origdst_addr, info.origdst_mask, ipv6));
  add(XT_CONNTRACK_REPLSRC, "ctreplsrc " + NetworkText(info.replsrc_addr, info.replsrc_mask, ipv6));
  add(XT_CONNTRACK_REPLDST, "ctrepldst " + NetworkText(info.repldst_addr, info.repldst_mask, ipv6));
  add(XT_CONNTRACK_ORIGSRC_PORT, "ctorigsrcport " + PortRangeText(info.origsrc_port, info.origsrc_port_high));
  add(XT_CONNTRACK_ORIGDST_PORT, "ctorigdstport " + PortRangeText(info.origdst_port, info.origdst_port_high));
  add(XT_CONNTRACK_REPLSRC_PORT, "ctreplsrcport " + PortRangeText(info.replsrc_port, info.replsrc_port_high));
  add(XT_CONNTRACK_REPLDST_PORT, "ctrepldstport " + PortRangeText(info.repldst_port, info.repldst_port_high));
  add(XT_CONNTRACK_STATUS, "ctstatus " + (info.status_mask == 0 ? "NONE" : BitsText(info.status_mask, kStatuses, ",")));
  add(XT_CONNTRACK_EXPIRES, "ctexpire " + std::to_string(info.expires_min) +
                                (info.expires_min == info.expires_max ? "" : ":" + std::to_string(info.expires_max)));
  if ((info.match_flags & XT_CONNTRACK_DIRECTION) != 0) {
    text += (info.invert_flags & XT_CONNTRACK_DIRECTION) != 0 ? " --ctdir REPLY" : " --ctdir ORIGINAL";
  }
  return text;
}

std::optional<std::string> XtStateText(const XtMatch& match, bool) {
  static constexpr NamedBit kBits[] = {{XT_STATE_INVALID, "INVALID"},
                                       {XT_STATE_BIT(IP_CT_NEW), "NEW"},
                                       {XT_STATE_BIT(IP_CT_RELATED), "RELATED"},
                                       {XT_STATE_BIT(IP_CT_ESTABLISHED), "ESTABLISHED"},
                                       {XT_STATE_UNTRACKED, "UNTRACKED"}};
  const auto info = XtInfo<xt_state_info>(match.info);
  if (match.revision != 0 || !info) {
    return std::nullopt;
  }
  return " --state " + BitsText(info->statemask, kBits, ",");
}

}  // namespace finwait::firewall::print
