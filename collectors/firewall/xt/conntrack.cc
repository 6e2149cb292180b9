// -m conntrack and -m state: what conntrack says of the packet, and the tuples of its entry.
#include <netinet/in.h>  // before the kernel's own headers, which then leave these names alone

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include <array>
#include <vector>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_entry.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace conntrack {
namespace {

// --- conntrack, revisions 1 to 3 ---

// The older revisions in the form of the third. Until revision 2 ports are single and in network order.
template <typename Older>
xt_conntrack_mtinfo3 Widened(const Older& older) {
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

template <typename Older>
std::optional<xt_conntrack_mtinfo3> DecodeOlder(const XtMatch& match) {
  const auto older = ReadAs<Older>(match.info);
  return older ? std::optional(Widened(*older)) : std::nullopt;
}

std::optional<xt_conntrack_mtinfo3> DecodeConntrack(const XtMatch& match) {
  switch (match.revision) {
    case 1:
      return DecodeOlder<xt_conntrack_mtinfo1>(match);
    case 2:
      return DecodeOlder<xt_conntrack_mtinfo2>(match);
    default:
      return ReadAs<xt_conntrack_mtinfo3>(match.info);
  }
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
Tristate StateMatches(const Packet& packet, const facts::ConnectionEntry* entry, unsigned mask) {
  Tristate matches = TristateOf((mask & StateBit(packet.tracking)) != 0);
  if (HasEntry(packet) && (mask & (XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT)) != 0) {
    if (packet.tracking == PacketTracking::kNew) {
      matches = Or(matches, And(packet.source_translated, TristateOf((mask & XT_CONNTRACK_STATE_SNAT) != 0)));
      matches = Or(matches, And(packet.destination_translated, TristateOf((mask & XT_CONNTRACK_STATE_DNAT) != 0)));
    } else if (entry != nullptr) {
      const unsigned translated = ((entry->status & IPS_SRC_NAT) != 0 ? unsigned{XT_CONNTRACK_STATE_SNAT} : 0U) |
                                  ((entry->status & IPS_DST_NAT) != 0 ? unsigned{XT_CONNTRACK_STATE_DNAT} : 0U);
      matches = Or(matches, TristateOf((mask & translated) != 0));
    } else {
      matches = Or(matches, Tristate::kUnknown);
    }
  }
  return matches;
}

// An end of an entry's tuple, as bytes that conditions compare.
struct KnownEnd {
  explicit KnownEnd(const Endpoint& end) : port(AbstractNumber<2>::Known(end.port)) {
    for (const std::byte byte : end.address.Bytes()) {
      address.push_back(AbstractByte::Known(byte));
    }
  }
  std::vector<AbstractByte> address;
  AbstractNumber<2> port;
};

// The four ends that can be asked for.
struct Tuples {
  AbstractBytes original_source, original_source_port, original_destination, original_destination_port;
  AbstractBytes reply_source, reply_source_port, reply_destination, reply_destination_port;
};

// `known`: else nobody can say what the tuples are.
void AddTupleConditions(const xt_conntrack_mtinfo3& info, const Packet& packet, bool known, const Tuples& tuples,
                        Conditions& conditions) {
  const auto add = [&](unsigned flag, const Condition& condition) {
    if ((info.match_flags & flag) != 0) {
      Condition each = known ? condition : Condition::Of(Tristate::kUnknown, kEntry);
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
    return PortIn(actual, low, high, packet.family);
  };
  if ((info.match_flags & XT_CONNTRACK_PROTO) != 0) {
    conditions.push_back(
        Condition::Of(info.l4proto == IPPROTO_TCP).Invert((info.invert_flags & XT_CONNTRACK_PROTO) != 0));
  }
  add(XT_CONNTRACK_ORIGSRC, address(tuples.original_source, info.origsrc_addr, info.origsrc_mask));
  add(XT_CONNTRACK_ORIGDST, address(tuples.original_destination, info.origdst_addr, info.origdst_mask));
  add(XT_CONNTRACK_REPLSRC, address(tuples.reply_source, info.replsrc_addr, info.replsrc_mask));
  add(XT_CONNTRACK_REPLDST, address(tuples.reply_destination, info.repldst_addr, info.repldst_mask));
  add(XT_CONNTRACK_ORIGSRC_PORT, port(tuples.original_source_port, info.origsrc_port, info.origsrc_port_high));
  add(XT_CONNTRACK_ORIGDST_PORT, port(tuples.original_destination_port, info.origdst_port, info.origdst_port_high));
  add(XT_CONNTRACK_REPLSRC_PORT, port(tuples.reply_source_port, info.replsrc_port, info.replsrc_port_high));
  add(XT_CONNTRACK_REPLDST_PORT, port(tuples.reply_destination_port, info.repldst_port, info.repldst_port_high));
}

// What is asked of the entry's tuples. The packet that made the entry is in the original direction, and as long as
// nothing has translated it the reply direction is its mirror.
void AddTupleConditions(const xt_conntrack_mtinfo3& info, const Packet& packet, const facts::ConnectionEntry* entry,
                        Conditions& conditions) {
  if (entry != nullptr) {
    const KnownEnd ends[] = {KnownEnd(entry->original.source), KnownEnd(entry->original.destination),
                             KnownEnd(entry->reply.source), KnownEnd(entry->reply.destination)};
    AddTupleConditions(info, packet, true,
                       {ends[0].address, ends[0].port.bytes, ends[1].address, ends[1].port.bytes, ends[2].address,
                        ends[2].port.bytes, ends[3].address, ends[3].port.bytes},
                       conditions);
    return;
  }
  const bool plain = packet.tracking == PacketTracking::kNew && packet.source_translated == Tristate::kNo &&
                     packet.destination_translated == Tristate::kNo;
  const AbstractBytes source = packet.SourceAddress();
  const AbstractBytes destination = packet.DestinationAddress();
  AddTupleConditions(info, packet, plain,
                     {source, packet.SourcePort(), destination, packet.DestinationPort(), destination,
                      packet.DestinationPort(), source, packet.SourcePort()},
                     conditions);
}

// conntrack_mt(): without an entry only the state counts, and where it is not asked for nothing matches.
Conditions ConntrackConditions(const xt_conntrack_mtinfo3& info, const Packet& packet, const HookContext&,
                               FactLookup& facts) {
  Conditions conditions;
  // Asked for only where what is asked for is not known without.
  constexpr unsigned kOfState = XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT;
  const bool asks =
      (info.match_flags & ~unsigned{XT_CONNTRACK_STATE | XT_CONNTRACK_PROTO | XT_CONNTRACK_STATE_ALIAS}) != 0 ||
      (info.state_mask & kOfState) != 0;
  const facts::ConnectionEntry* entry = asks ? EntryOf(packet, facts) : nullptr;
  const bool state = (info.match_flags & XT_CONNTRACK_STATE) != 0;
  if (state) {
    conditions.push_back(Condition::Of(StateMatches(packet, entry, info.state_mask), kEntry)
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
    const Tristate original = entry != nullptr ? TristateOf(entry->is_original)
                              : first          ? Tristate::kYes
                                               : Tristate::kUnknown;
    conditions.push_back(Condition::Of(original, kEntry).Invert((info.invert_flags & XT_CONNTRACK_DIRECTION) != 0));
  }
  AddTupleConditions(info, packet, entry, conditions);
  if ((info.match_flags & XT_CONNTRACK_STATUS) != 0) {
    Tristate status = Tristate::kUnknown;
    constexpr unsigned kOpen = IPS_NAT_MASK | IPS_NAT_DONE_MASK | IPS_HELPER;
    if (entry != nullptr) {
      status = TristateOf((info.status_mask & entry->status) != 0);
    } else if (first && (info.status_mask & kOpen) == 0) {
      status = TristateOf(packet.confirmed && (info.status_mask & IPS_CONFIRMED) != 0);
    }
    conditions.push_back(Condition::Of(status, kEntry).Invert((info.invert_flags & XT_CONNTRACK_STATUS) != 0));
  }
  if ((info.match_flags & XT_CONNTRACK_EXPIRES) != 0) {
    const auto left = entry != nullptr ? TimeoutAt(packet, *entry) : std::nullopt;
    const Tristate within =
        left ? TristateOf(*left >= info.expires_min && *left <= info.expires_max) : Tristate::kUnknown;
    conditions.push_back(Condition::Of(within, kEntry).Invert((info.invert_flags & XT_CONNTRACK_EXPIRES) != 0));
  }
  return conditions;
}

bool ConntrackTestsState(const XtMatch& match) {
  const auto info = DecodeConntrack(match);
  return info && (info->match_flags & XT_CONNTRACK_STATE) != 0;
}

std::string NetworkText(const nf_inet_addr& address, const nf_inet_addr& mask, bool ipv6) {
  const std::size_t size = ipv6 ? 16 : 4;
  const auto mask_bytes = BytesOf(mask).first(size);
  const int length = PrefixLength(mask_bytes);
  std::string text = AddressText(BytesOf(address).first(size));
  if (length < 0) {
    return text + "/" + AddressText(mask_bytes);
  }
  return length == static_cast<int>(size) * 8 ? text : text + "/" + std::to_string(length);
}

OptionText ConntrackText(const xt_conntrack_mtinfo3& info, bool ipv6) {
  static constexpr NamedBit kStates[] = {{XT_CONNTRACK_STATE_INVALID, "INVALID"},
                                         {XT_CONNTRACK_STATE_BIT(IP_CT_NEW), "NEW"},
                                         {XT_CONNTRACK_STATE_BIT(IP_CT_RELATED), "RELATED"},
                                         {XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED), "ESTABLISHED"},
                                         {XT_CONNTRACK_STATE_UNTRACKED, "UNTRACKED"},
                                         {XT_CONNTRACK_STATE_SNAT, "SNAT"},
                                         {XT_CONNTRACK_STATE_DNAT, "DNAT"}};
  static constexpr NamedBit kStatuses[] = {{IPS_EXPECTED, "EXPECTED"},
                                           {IPS_SEEN_REPLY, "SEEN_REPLY"},
                                           {IPS_ASSURED, "ASSURED"},
                                           {IPS_CONFIRMED, "CONFIRMED"}};
  std::string text;
  const auto add = [&](unsigned flag, const std::string& option) {
    if ((info.match_flags & flag) != 0) {
      text += ((info.invert_flags & flag) != 0 ? " ! --" : " --") + option;
    }
  };
  const bool alias = (info.match_flags & XT_CONNTRACK_STATE_ALIAS) != 0;  // written as `-m state`
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
  return {text, alias ? "state" : ""};
}

// --- state ---

Conditions StateConditions(const xt_state_info& info, const Packet& packet, const HookContext&) {
  // XT_STATE_UNTRACKED lies at another place than in xt_conntrack.h.
  const unsigned bit =
      packet.tracking == PacketTracking::kUntracked ? unsigned{XT_STATE_UNTRACKED} : StateBit(packet.tracking);
  return {Condition::Of((info.statemask & bit) != 0)};
}

OptionText StateText(const xt_state_info& info) {
  static constexpr NamedBit kBits[] = {{XT_STATE_INVALID, "INVALID"},
                                       {XT_STATE_BIT(IP_CT_NEW), "NEW"},
                                       {XT_STATE_BIT(IP_CT_RELATED), "RELATED"},
                                       {XT_STATE_BIT(IP_CT_ESTABLISHED), "ESTABLISHED"},
                                       {XT_STATE_UNTRACKED, "UNTRACKED"}};
  return " --state " + BitsText(info.statemask, kBits, ",");
}

constexpr Match kMatches[] = {
    {.name = "conntrack",
     .revisions = {1, 3},
     .traits = {.needs_conntrack = true},
     .conditions = ConditionsBy<DecodeConntrack, ConntrackConditions>,
     .text = TextBy<DecodeConntrack, ConntrackText>,
     .tests_state = ConntrackTestsState},
    {.name = "state",
     .revisions = {0, 0},
     .traits = {.needs_conntrack = true},
     .conditions = kConditionsOf<xt_state_info, StateConditions>,
     .text = kMatchTextOf<xt_state_info, StateText>,
     .tests_state = [](const XtMatch&) { return true; }},
};

}  // namespace
}  // namespace conntrack

Family families::Conntrack() { return {.matches = conntrack::kMatches}; }

}  // namespace finwait::firewall::xt
