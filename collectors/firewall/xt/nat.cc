// -j SNAT, DNAT, MASQUERADE, REDIRECT and NETMAP.
// The private structure of all but NETMAP in any revision; nothing where it is of another form. Ports are in network
// order.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace nat {
namespace {

std::optional<nf_nat_range> DecodeRange(const XtTarget& target, bool ipv6) {
  if (ipv6 || target.revision != 0) {
    return ReadAs<nf_nat_range>(target.info);  // nf_nat_range2 begins with it
  }
  const auto compat = ReadAs<nf_nat_ipv4_multi_range_compat>(target.info);
  if (!compat || compat->rangesize != 1) {
    return std::nullopt;
  }
  nf_nat_range range = {};
  range.flags = compat->range[0].flags;
  range.min_addr.ip = compat->range[0].min_ip;
  range.max_addr.ip = compat->range[0].max_ip;
  range.min_proto = compat->range[0].min;
  range.max_proto = compat->range[0].max;
  return range;
}

// What the options alone say of the translation.
Translation Asked(const XtTarget& target, const Packet& packet) {
  Translation translation;
  const bool ipv6 = packet.family == IpFamily::kIpv6;
  const auto range = DecodeRange(target, ipv6);
  if (!range) {
    translation.address = translation.port = NewValue::Anything();
    return translation;
  }
  const std::size_t size = ipv6 ? 16 : 4;
  if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) {
    translation.address = NewValue::Between(BytesOf(range->min_addr).first(size), BytesOf(range->max_addr).first(size));
  }
  if ((range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) {
    translation.port = NewValue::Between(BytesOf(range->min_proto.all), BytesOf(range->max_proto.all));
  }
  if ((range->flags & NF_NAT_RANGE_PROTO_OFFSET) != 0) {
    translation.port = NewValue::Anything();
  }
  translation.random_port = (range->flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) != 0;
  return translation;
}

Effect Translates(Translation translation) { return {Effect::Kind::kTranslate, {}, std::move(translation)}; }

Effect ApplySnat(const XtTarget& target, Packet& packet, const HookContext&) {
  return Translates(Asked(target, packet));
}

Effect ApplyDnat(const XtTarget& target, Packet& packet, const HookContext&) {
  Translation translation = Asked(target, packet);
  translation.destination = true;
  return Translates(std::move(translation));
}

Effect ApplyMasquerade(const XtTarget& target, Packet& packet, const HookContext& context) {
  Translation translation = Asked(target, packet);
  translation.address = packet::MasqueradeAddress(packet, context);
  return Translates(std::move(translation));
}

Effect ApplyRedirect(const XtTarget& target, Packet& packet, const HookContext& context) {
  Translation translation = Asked(target, packet);
  translation.destination = true;
  translation.address = packet::RedirectAddress(packet, context);
  return Translates(std::move(translation));
}

// The source where packets leave, the destination where they arrive.
Effect ApplyNetmap(const XtTarget&, Packet&, const HookContext& context) {
  const bool destination = context.hook != Hook::kPostrouting && context.hook != Hook::kInput;
  return Translates({.destination = destination, .address = NewValue::Anything()});
}

std::string FlagsText(std::uint32_t flags) {
  static constexpr NamedBit kFlags[] = {{NF_NAT_RANGE_PROTO_RANDOM, " --random"},
                                        {NF_NAT_RANGE_PROTO_RANDOM_FULLY, " --random-fully"},
                                        {NF_NAT_RANGE_PERSISTENT, " --persistent"}};
  std::string text;
  for (const NamedBit& flag : kFlags) {
    text += (flags & flag.bit) != 0 ? flag.name : "";
  }
  return text;
}

std::string PortsText(const nf_nat_range& range) {
  const auto first = std::to_string(BigEndianNumber(BytesOf(range.min_proto.all)));
  const auto last = std::to_string(BigEndianNumber(BytesOf(range.max_proto.all)));
  return first == last ? first : first + "-" + last;
}

std::optional<OptionText> AddressText(const char* option, const XtTarget& target, bool ipv6) {
  const auto range = DecodeRange(target, ipv6);
  if (!range) {
    return std::nullopt;
  }
  std::string text = option;
  const bool has_ports = (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
  if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) {
    const std::size_t size = ipv6 ? 16 : 4;
    const std::string first = firewall::AddressText(BytesOf(range->min_addr).first(size));
    const std::string last = firewall::AddressText(BytesOf(range->max_addr).first(size));
    const std::string addresses = first == last ? first : first + "-" + last;
    text += ipv6 && has_ports ? "[" + addresses + "]" : addresses;
  }
  return text + (has_ports ? ":" + PortsText(*range) : "") + FlagsText(range->flags);
}

std::optional<OptionText> SnatText(const XtTarget& target, bool ipv6) {
  return AddressText(" --to-source ", target, ipv6);
}

std::optional<OptionText> DnatText(const XtTarget& target, bool ipv6) {
  return AddressText(" --to-destination ", target, ipv6);
}

std::optional<OptionText> PortText(const XtTarget& target, bool ipv6) {
  const auto range = DecodeRange(target, ipv6);
  if (!range) {
    return std::nullopt;
  }
  const bool has_ports = (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
  return (has_ports ? " --to-ports " + PortsText(*range) : "") + FlagsText(range->flags);
}

constexpr Traits kTraits = {.changes_packet = true, .needs_conntrack = true, .terminal = true};

constexpr Target kTargets[] = {
    {.name = "DNAT", .revisions = kAnyRevision, .traits = kTraits, .apply = ApplyDnat, .text = DnatText},
    {.name = "MASQUERADE", .revisions = kAnyRevision, .traits = kTraits, .apply = ApplyMasquerade, .text = PortText},
    {.name = "NETMAP", .revisions = kAnyRevision, .traits = kTraits, .apply = ApplyNetmap},
    {.name = "REDIRECT", .revisions = kAnyRevision, .traits = kTraits, .apply = ApplyRedirect, .text = PortText},
    {.name = "SNAT", .revisions = kAnyRevision, .traits = kTraits, .apply = ApplySnat, .text = SnatText},
};

}  // namespace
}  // namespace nat

Family families::Nat() { return {.targets = nat::kTargets}; }

}  // namespace finwait::firewall::xt
