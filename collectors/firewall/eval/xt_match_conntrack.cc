// Matches that ask conntrack. A packet without an entry answers most of them in a way of its own.
#include <netinet/in.h>  // before the kernel's own headers, which then leave these names alone

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_connlabel.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_helper.h>
#include <linux/netfilter/xt_state.h>

#include <array>
#include <cstddef>

#include "collectors/firewall/eval/xt_match.h"

namespace finwait::firewall::eval {
namespace {

// nf_ct_get() gives an entry (or a template) for the packet.
bool HasEntry(const Packet& packet) {
  return packet.tracking != PacketTracking::kNoEntry && packet.tracking != PacketTracking::kUntracked;
}

unsigned StateBit(PacketTracking tracking) {
  switch (tracking) {
    case PacketTracking::kNoEntry:
      return XT_CONNTRACK_STATE_INVALID;
    case PacketTracking::kTemplate:
    case PacketTracking::kNew:
      return XT_CONNTRACK_STATE_BIT(IP_CT_NEW);
    case PacketTracking::kEstablished:
      return XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED);
    case PacketTracking::kRelated:
      return XT_CONNTRACK_STATE_BIT(IP_CT_RELATED);
    case PacketTracking::kUntracked:
      return XT_CONNTRACK_STATE_UNTRACKED;
  }
  return XT_CONNTRACK_STATE_INVALID;
}

// What `--ctstate SNAT,DNAT` adds: whether the entry has been given a translation.
Tristate StateMatches(const Packet& packet, unsigned mask) {
  Tristate matches = TristateOf((mask & StateBit(packet.tracking)) != 0);
  if (HasEntry(packet) && (mask & (XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT)) != 0) {
    if (packet.tracking == PacketTracking::kNew) {
      matches = Or(matches, And(packet.source_translated, TristateOf((mask & XT_CONNTRACK_STATE_SNAT) != 0)));
      matches = Or(matches, And(packet.destination_translated, TristateOf((mask & XT_CONNTRACK_STATE_DNAT) != 0)));
    } else {
      matches = Or(matches, Tristate::kUnknown);
    }
  }
  return matches;
}

constexpr std::string_view kEntry = "what conntrack knows of the connection";

// All revisions in the form of the third: ports in the host's order, as ranges.
xt_conntrack_mtinfo3 Widened(const xt_conntrack_mtinfo1& old, std::uint16_t state_mask, std::uint16_t status_mask) {
  xt_conntrack_mtinfo3 info = {};
  static_assert(offsetof(xt_conntrack_mtinfo1, origsrc_port) == offsetof(xt_conntrack_mtinfo3, origsrc_port));
  std::memcpy(&info, &old, offsetof(xt_conntrack_mtinfo1, origsrc_port));
  info.origsrc_port = info.origsrc_port_high = ntohs(old.origsrc_port);
  info.origdst_port = info.origdst_port_high = ntohs(old.origdst_port);
  info.replsrc_port = info.replsrc_port_high = ntohs(old.replsrc_port);
  info.repldst_port = info.repldst_port_high = ntohs(old.repldst_port);
  info.match_flags = old.match_flags;
  info.invert_flags = old.invert_flags;
  info.state_mask = state_mask;
  info.status_mask = status_mask;
  return info;
}

bool ReadConntrackInfo(const XtMatch& match, xt_conntrack_mtinfo3* info) {
  if (match.revision == 3) {
    return ReadInfo(match.info, info);
  }
  xt_conntrack_mtinfo1 first = {};
  xt_conntrack_mtinfo2 second = {};
  if (!ReadInfo(match.info, &first) || (match.revision == 2 && !ReadInfo(match.info, &second))) {
    return false;
  }
  *info = match.revision == 1 ? Widened(first, first.state_mask, first.status_mask)
                              : Widened(first, second.state_mask, second.status_mask);
  return true;
}

// What is asked of the entry's tuples. The packet that made the entry is in the original direction, and as long as
// nothing has translated it the reply direction is its mirror.
void AddTupleConditions(const xt_conntrack_mtinfo3& info, const Packet& packet, Conditions& conditions) {
  const bool plain = packet.tracking == PacketTracking::kNew && packet.source_translated == Tristate::kNo &&
                     packet.destination_translated == Tristate::kNo;
  const auto add = [&](unsigned flag, const Condition& condition) {
    if ((info.match_flags & flag) != 0) {
      Condition each = plain ? condition : Condition::Of(Tristate::kUnknown, kEntry);
      conditions.push_back(each.Invert((info.invert_flags & flag) != 0));
    }
  };
  const auto address = [&](AbstractBytes actual, const nf_inet_addr& wanted, const nf_inet_addr& mask) {
    // (packet ^ wanted) & mask == 0: unlike elsewhere, bits of `wanted` outside the mask do not matter.
    std::array<std::byte, 16> value = {};
    for (std::size_t i = 0; i < actual.size(); ++i) {
      value[i] = BytesOf(wanted)[i] & BytesOf(mask)[i];
    }
    return Condition::Equal(actual, std::span(value).first(actual.size()), packet.family,
                            BytesOf(mask).first(actual.size()));
  };
  const auto port = [&](AbstractBytes actual, std::uint16_t low, std::uint16_t high) {
    return Condition::In(actual, IntervalSet::Between(low, high), packet.family);
  };
  add(XT_CONNTRACK_ORIGSRC, address(packet.SourceAddress(), info.origsrc_addr, info.origsrc_mask));
  add(XT_CONNTRACK_ORIGDST, address(packet.DestinationAddress(), info.origdst_addr, info.origdst_mask));
  add(XT_CONNTRACK_REPLSRC, address(packet.DestinationAddress(), info.replsrc_addr, info.replsrc_mask));
  add(XT_CONNTRACK_REPLDST, address(packet.SourceAddress(), info.repldst_addr, info.repldst_mask));
  add(XT_CONNTRACK_PROTO, Condition::Of(info.l4proto == IPPROTO_TCP));
  add(XT_CONNTRACK_ORIGSRC_PORT, port(packet.SourcePort(), info.origsrc_port, info.origsrc_port_high));
  add(XT_CONNTRACK_ORIGDST_PORT, port(packet.DestinationPort(), info.origdst_port, info.origdst_port_high));
  add(XT_CONNTRACK_REPLSRC_PORT, port(packet.DestinationPort(), info.replsrc_port, info.replsrc_port_high));
  add(XT_CONNTRACK_REPLDST_PORT, port(packet.SourcePort(), info.repldst_port, info.repldst_port_high));
}

// conntrack_mt(): without an entry only the state is looked at, and where it is not asked for nothing matches.
Conditions Conntrack(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_conntrack_mtinfo3 info;
  if (!ReadConntrackInfo(match, &info)) {
    return Unreadable();
  }
  Conditions conditions;
  const bool state = (info.match_flags & XT_CONNTRACK_STATE) != 0;
  if (state) {
    conditions.push_back(Condition::Of(StateMatches(packet, info.state_mask), kEntry)
                             .Invert((info.invert_flags & XT_CONNTRACK_STATE) != 0));
  }
  if (!HasEntry(packet)) {
    if (!state) {
      conditions.push_back(Condition::Of(false));
    }
    return conditions;
  }
  const bool first = packet.tracking == PacketTracking::kNew;
  if ((info.match_flags & XT_CONNTRACK_DIRECTION) != 0) {
    // The original direction, and inverted the reply's. A new connection's packet is in the original one.
    conditions.push_back(Condition::Of(first ? Tristate::kYes : Tristate::kUnknown, kEntry)
                             .Invert((info.invert_flags & XT_CONNTRACK_DIRECTION) != 0));
  }
  AddTupleConditions(info, packet, conditions);
  if ((info.match_flags & XT_CONNTRACK_STATUS) != 0) {
    Tristate status = Tristate::kUnknown;
    constexpr unsigned kOpen = IPS_NAT_MASK | IPS_NAT_DONE_MASK | IPS_HELPER;
    if (first && (info.status_mask & kOpen) == 0) {
      status = TristateOf(packet.confirmed && (info.status_mask & IPS_CONFIRMED) != 0);
    }
    conditions.push_back(Condition::Of(status, kEntry).Invert((info.invert_flags & XT_CONNTRACK_STATUS) != 0));
  }
  if ((info.match_flags & XT_CONNTRACK_EXPIRES) != 0) {
    conditions.push_back(Condition::Of(Tristate::kUnknown, kEntry));
  }
  return conditions;
}

Conditions State(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_state_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  // XT_STATE_UNTRACKED lies at another place than in xt_conntrack.h.
  const unsigned bit =
      packet.tracking == PacketTracking::kUntracked ? unsigned{XT_STATE_UNTRACKED} : StateBit(packet.tracking);
  return {Condition::Of((info.statemask & bit) != 0)};
}

Conditions ConnectionMark(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_connmark_mtinfo1 info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  if (!HasEntry(packet)) {
    return {Condition::Of(false)};  // inverted or not
  }
  std::array<std::byte, 4> value;
  std::array<std::byte, 4> mask;
  for (std::size_t i = 0; i < 4; ++i) {
    value[i] = std::byte(static_cast<std::uint8_t>(info.mark >> (24 - 8 * i)));
    mask[i] = std::byte(static_cast<std::uint8_t>(info.mask >> (24 - 8 * i)));
  }
  if (packet.tracking == PacketTracking::kTemplate) {
    return {Condition::Equal(AbstractNumber<4>::Known(0).bytes, value, packet.family, mask).Invert(info.invert != 0)};
  }
  if (packet.tracking != PacketTracking::kNew) {
    return {Condition::Of(Tristate::kUnknown, kEntry)};
  }
  return {Condition::Equal(packet.connection_mark.bytes, value, packet.family, mask).Invert(info.invert != 0)};
}

Conditions NeedsEntry(const XtMatch&, const Packet& packet, const HookContext&) {
  return {Condition::Of(HasEntry(packet) ? Tristate::kUnknown : Tristate::kNo, kEntry)};
}

Conditions ConnectionLabel(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_connlabel_mtinfo info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  return {Condition::Of(HasEntry(packet) ? Tristate::kUnknown : Tristate::kNo, kEntry)
              .Invert((info.options & XT_CONNLABEL_OP_INVERT) != 0)};
}

// Only connections that a helper expected have a master, and none is without an entry.
Conditions Helper(const XtMatch& match, const Packet& packet, const HookContext&) {
  xt_helper_info info;
  if (!ReadInfo(match.info, &info)) {
    return Unreadable();
  }
  const bool first = packet.tracking == PacketTracking::kNew;
  return {
      Condition::Of(HasEntry(packet) && !first ? Tristate::kUnknown : Tristate::kNo, kEntry).Invert(info.invert != 0)};
}

constexpr XtMatchHandler kHandlers[] = {
    {"conntrack", 1, 3, Conntrack},  {"state", 0, 0, State},        {"connmark", 1, 1, ConnectionMark},
    {"connbytes", 0, 0, NeedsEntry}, {"cluster", 0, 0, NeedsEntry}, {"connlabel", 0, 0, ConnectionLabel},
    {"helper", 0, 0, Helper},
};

}  // namespace

const XtMatchHandler* FindConntrackMatch(const XtMatch& match) { return FindIn(kHandlers, match); }

bool TestsConntrackState(const XtMatch& match) {
  if (match.name == "state") {
    return true;
  }
  if (match.name != "conntrack") {
    return false;
  }
  // match_flags lie at the same place in all revisions.
  xt_conntrack_mtinfo1 info;
  return ReadInfo(match.info, &info) && (info.match_flags & XT_CONNTRACK_STATE) != 0;
}

}  // namespace finwait::firewall::eval
