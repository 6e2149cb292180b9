#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>

#include "collectors/firewall/print/nft_field.h"

namespace finwait::firewall::print {
namespace {

struct NamedValue {
  std::uint64_t value;
  std::string_view name;
};

template <std::size_t N>
std::string NameOr(const NamedValue (&names)[N], std::uint64_t value) {
  const auto found =
      std::find_if(std::begin(names), std::end(names), [value](const NamedValue& name) { return name.value == value; });
  return found == std::end(names) ? std::to_string(value) : std::string(found->name);
}

// linux/netfilter/nf_conntrack_common.h: NF_CT_STATE_*, IPS_*.
constexpr NamedBit kCtStates[] = {{1, "invalid"}, {2, "established"}, {4, "related"}, {8, "new"}, {64, "untracked"}};
constexpr NamedBit kCtStatuses[] = {
    {IPS_EXPECTED, "expected"}, {IPS_SEEN_REPLY, "seen-reply"}, {IPS_ASSURED, "assured"}, {IPS_CONFIRMED, "confirmed"},
    {IPS_SRC_NAT, "snat"},      {IPS_DST_NAT, "dnat"},          {IPS_DYING, "dying"}};

constexpr NamedValue kFamilies[] = {{NFPROTO_IPV4, "ipv4"}, {NFPROTO_IPV6, "ipv6"}};
constexpr NamedValue kEtherTypes[] = {
    {ETH_P_IP, "ip"}, {ETH_P_IPV6, "ip6"}, {ETH_P_ARP, "arp"}, {ETH_P_8021Q, "8021q"}, {ETH_P_8021AD, "8021ad"}};
constexpr NamedValue kLinkTypes[] = {{ARPHRD_ETHER, "ether"},   {ARPHRD_PPP, "ppp"},           {ARPHRD_TUNNEL, "ipip"},
                                     {ARPHRD_TUNNEL6, "ipip6"}, {ARPHRD_LOOPBACK, "loopback"}, {ARPHRD_SIT, "sit"},
                                     {ARPHRD_IPGRE, "ipgre"}};
constexpr NamedValue kDirections[] = {{0, "original"}, {1, "reply"}};
constexpr NamedValue kPacketTypes[] = {{0, "host"}, {1, "broadcast"}, {2, "multicast"}, {3, "other"}};
constexpr NamedValue kAddressTypes[] = {
    {RTN_UNSPEC, "unspec"},       {RTN_UNICAST, "unicast"},         {RTN_LOCAL, "local"},
    {RTN_BROADCAST, "broadcast"}, {RTN_ANYCAST, "anycast"},         {RTN_MULTICAST, "multicast"},
    {RTN_BLACKHOLE, "blackhole"}, {RTN_UNREACHABLE, "unreachable"}, {RTN_PROHIBIT, "prohibit"}};
constexpr NamedValue kIcmpTypes[] = {
    {0, "echo-reply"},         {3, "destination-unreachable"}, {4, "source-quench"},        {5, "redirect"},
    {8, "echo-request"},       {9, "router-advertisement"},    {10, "router-solicitation"}, {11, "time-exceeded"},
    {12, "parameter-problem"}, {13, "timestamp-request"},      {14, "timestamp-reply"},     {15, "info-request"},
    {16, "info-reply"},        {17, "address-mask-request"},   {18, "address-mask-reply"}};
constexpr NamedValue kIcmpv6Types[] = {
    {1, "destination-unreachable"}, {2, "packet-too-big"},        {3, "time-exceeded"},
    {4, "parameter-problem"},       {128, "echo-request"},        {129, "echo-reply"},
    {130, "mld-listener-query"},    {131, "mld-listener-report"}, {132, "mld-listener-done"},
    {133, "nd-router-solicit"},     {134, "nd-router-advert"},    {135, "nd-neighbor-solicit"},
    {136, "nd-neighbor-advert"},    {137, "nd-redirect"},         {138, "router-renumbering"},
    {141, "ind-neighbor-solicit"},  {142, "ind-neighbor-advert"}, {143, "mld2-listener-report"}};

std::string MarkText(std::uint64_t mark) {
  const std::string digits = HexText(mark).substr(2);
  return "0x" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

// Compared up to its end, a name is whole; compared without it, a prefix.
std::string InterfaceText(kernel::netlink::Bytes value) {
  std::string name(kernel::netlink::Attribute(0, value).Text());
  const bool prefix = name.size() == value.size();
  return "\"" + Printable(name) + (prefix ? "*\"" : "\"");
}

// An address, or so many whole bytes of one as a prefix.
std::string AddressOrPrefix(kernel::netlink::Bytes value, std::size_t size) {
  if (value.size() >= size) {
    return AddressText(value);
  }
  Value address(value.begin(), value.end());
  address.resize(size);
  return AddressText(address) + "/" + std::to_string(value.size() * 8);
}

std::string LinkAddressText(kernel::netlink::Bytes value) {
  std::string text;
  for (const std::byte byte : value) {
    text += (text.empty() ? "" : ":") + HexBytesText(kernel::netlink::Bytes(&byte, 1)).substr(2);
  }
  return text;
}

std::string OneBitText(std::uint64_t bits, std::span<const NamedBit> names) {
  const auto found =
      std::find_if(names.begin(), names.end(), [bits](const NamedBit& name) { return name.bit == bits; });
  return found == names.end() ? HexText(bits) : std::string(found->name);
}

std::string FormatText(ValueFormat format, kernel::netlink::Bytes value) {
  switch (format) {
    case ValueFormat::kHex:
      return HexBytesText(value);
    case ValueFormat::kBigEndian:
      return std::to_string(BigEndianNumber(value));
    case ValueFormat::kHost:
      return std::to_string(HostNumber(value));
    case ValueFormat::kMark:
      return MarkText(HostNumber(value));
    case ValueFormat::kIpv4Address:
      return AddressOrPrefix(value, 4);
    case ValueFormat::kIpv6Address:
      return AddressOrPrefix(value, 16);
    case ValueFormat::kLinkType:
      return NameOr(kLinkTypes, HostNumber(value));
    case ValueFormat::kLinkAddress:
      return LinkAddressText(value);
    case ValueFormat::kInterfaceName:
      return InterfaceText(value);
    case ValueFormat::kInterfaceIndex:
      return HostNumber(value) == 1 ? "\"lo\"" : std::to_string(HostNumber(value));
    case ValueFormat::kProtocol:
      return ProtocolText(static_cast<unsigned>(BigEndianNumber(value)));
    case ValueFormat::kNetworkFamily:
      return NameOr(kFamilies, BigEndianNumber(value));
    case ValueFormat::kEtherType:
      return NameOr(kEtherTypes, BigEndianNumber(value));
    case ValueFormat::kTcpFlags:
      return OneBitText(BigEndianNumber(value), TcpFlagNames());
    case ValueFormat::kCtState:
      return OneBitText(HostNumber(value), kCtStates);
    case ValueFormat::kCtStatus:
      return OneBitText(HostNumber(value), kCtStatuses);
    case ValueFormat::kCtDirection:
      return NameOr(kDirections, HostNumber(value));
    case ValueFormat::kIcmpType:
      return NameOr(kIcmpTypes, BigEndianNumber(value));
    case ValueFormat::kIcmpv6Type:
      return NameOr(kIcmpv6Types, BigEndianNumber(value));
    case ValueFormat::kPacketType:
      return NameOr(kPacketTypes, HostNumber(value));
    case ValueFormat::kAddressType:
      return NameOr(kAddressTypes, HostNumber(value));
    case ValueFormat::kPresence:
      return HostNumber(value) != 0 ? "exists" : "missing";
    case ValueFormat::kSeconds:
      return std::to_string(HostNumber(value) / 1000) + "s";
  }
  return HexBytesText(value);
}

// In the byte order that the format expects.
Value InOrder(const Field& field, kernel::netlink::Bytes value) {
  Value ordered(value.begin(), value.end());
  if (field.turned) {
    std::reverse(ordered.begin(), ordered.end());
  }
  return ordered;
}

}  // namespace

bool IsBits(ValueFormat format) {
  return format == ValueFormat::kTcpFlags || format == ValueFormat::kCtState || format == ValueFormat::kCtStatus;
}

bool IsAddress(ValueFormat format) {
  return format == ValueFormat::kIpv4Address || format == ValueFormat::kIpv6Address;
}

bool IsHostOrder(ValueFormat format) {
  switch (format) {
    case ValueFormat::kHost:
    case ValueFormat::kMark:
    case ValueFormat::kInterfaceName:
    case ValueFormat::kInterfaceIndex:
    case ValueFormat::kCtState:
    case ValueFormat::kCtStatus:
      return true;
    default:
      return false;
  }
}

std::string ValueText(const Field& field, kernel::netlink::Bytes value) {
  return FormatText(field.format, InOrder(field, value));
}

std::string FlagsText(const Field& field, kernel::netlink::Bytes value) {
  const Value ordered = InOrder(field, value);
  switch (field.format) {
    case ValueFormat::kTcpFlags:
      return BitsText(static_cast<std::uint32_t>(BigEndianNumber(ordered)), TcpFlagNames(), ",");
    case ValueFormat::kCtState:
      return BitsText(static_cast<std::uint32_t>(HostNumber(ordered)), kCtStates, ",");
    default:
      return BitsText(static_cast<std::uint32_t>(HostNumber(ordered)), kCtStatuses, ",");
  }
}

std::string RangeText(const Field& field, kernel::netlink::Bytes from, kernel::netlink::Bytes to) {
  if (IsAddress(field.format) && from.size() == to.size()) {
    Value mask(from.size());
    bool prefix = true;
    for (std::size_t i = 0; i < from.size(); ++i) {
      mask[i] = ~(from[i] ^ to[i]);
      prefix = prefix && (from[i] & ~mask[i]) == std::byte{0};
    }
    if (const int length = PrefixLength(mask); prefix && length >= 0) {
      return AddressText(from) + "/" + std::to_string(length);
    }
  }
  return ValueText(field, from) + "-" + ValueText(field, to);
}

}  // namespace finwait::firewall::print
