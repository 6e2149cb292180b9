#include "collectors/firewall/print/nft_field.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace finwait::firewall::print {
namespace {

constexpr unsigned kIcmp = 1;
constexpr unsigned kTcp = 6;
constexpr unsigned kUdp = 17;
constexpr unsigned kIcmpv6 = 58;

struct KeyName {
  std::uint32_t key;
  const char* name;
  ValueFormat format;
};

const KeyName* FindKey(std::span<const KeyName> names, std::uint32_t key) {
  const auto found = std::find_if(names.begin(), names.end(), [key](const KeyName& name) { return name.key == key; });
  return found == names.end() ? nullptr : &*found;
}

constexpr KeyName kMeta[] = {
    {NFT_META_LEN, "meta length", ValueFormat::kHost},
    {NFT_META_PROTOCOL, "meta protocol", ValueFormat::kEtherType},
    {NFT_META_PRIORITY, "meta priority", ValueFormat::kMark},
    {NFT_META_MARK, "meta mark", ValueFormat::kMark},
    {NFT_META_IIF, "iif", ValueFormat::kInterfaceIndex},
    {NFT_META_OIF, "oif", ValueFormat::kInterfaceIndex},
    {NFT_META_IIFNAME, "iifname", ValueFormat::kInterfaceName},
    {NFT_META_OIFNAME, "oifname", ValueFormat::kInterfaceName},
    {NFT_META_IIFTYPE, "meta iiftype", ValueFormat::kLinkType},
    {NFT_META_OIFTYPE, "meta oiftype", ValueFormat::kLinkType},
    {NFT_META_SKUID, "meta skuid", ValueFormat::kHost},
    {NFT_META_SKGID, "meta skgid", ValueFormat::kHost},
    {NFT_META_NFTRACE, "meta nftrace", ValueFormat::kHost},
    {NFT_META_NFPROTO, "meta nfproto", ValueFormat::kNetworkFamily},
    {NFT_META_L4PROTO, "meta l4proto", ValueFormat::kProtocol},
    {NFT_META_PKTTYPE, "meta pkttype", ValueFormat::kPacketType},
    {NFT_META_CPU, "meta cpu", ValueFormat::kHost},
    {NFT_META_IIFGROUP, "iifgroup", ValueFormat::kHost},
    {NFT_META_OIFGROUP, "oifgroup", ValueFormat::kHost},
    {NFT_META_CGROUP, "meta cgroup", ValueFormat::kHost},
    {NFT_META_SECPATH, "meta ipsec", ValueFormat::kPresence},
    {NFT_META_SDIF, "meta sdif", ValueFormat::kInterfaceIndex},
    {NFT_META_SDIFNAME, "meta sdifname", ValueFormat::kInterfaceName},
};

constexpr KeyName kCt[] = {
    {NFT_CT_STATE, "state", ValueFormat::kCtState},
    {NFT_CT_DIRECTION, "direction", ValueFormat::kCtDirection},
    {NFT_CT_STATUS, "status", ValueFormat::kCtStatus},
    {NFT_CT_MARK, "mark", ValueFormat::kMark},
    {NFT_CT_EXPIRATION, "expiration", ValueFormat::kSeconds},
    {NFT_CT_HELPER, "helper", ValueFormat::kInterfaceName},
    {NFT_CT_L3PROTOCOL, "l3proto", ValueFormat::kNetworkFamily},
    {NFT_CT_PROTOCOL, "protocol", ValueFormat::kProtocol},
    {NFT_CT_PROTO_SRC, "proto-src", ValueFormat::kBigEndian},
    {NFT_CT_PROTO_DST, "proto-dst", ValueFormat::kBigEndian},
    {NFT_CT_ZONE, "zone", ValueFormat::kHost},
    {NFT_CT_SRC_IP, "ip saddr", ValueFormat::kIpv4Address},
    {NFT_CT_DST_IP, "ip daddr", ValueFormat::kIpv4Address},
    {NFT_CT_SRC_IP6, "ip6 saddr", ValueFormat::kIpv6Address},
    {NFT_CT_DST_IP6, "ip6 daddr", ValueFormat::kIpv6Address},
};

struct HeaderField {
  std::uint32_t offset;
  std::uint32_t length;
  const char* name;
  ValueFormat format;
};

constexpr HeaderField kEthernet[] = {{0, 6, "ether daddr", ValueFormat::kLinkAddress},
                                     {6, 6, "ether saddr", ValueFormat::kLinkAddress},
                                     {12, 2, "ether type", ValueFormat::kEtherType}};
constexpr HeaderField kIpv4[] = {
    {2, 2, "ip length", ValueFormat::kBigEndian},   {4, 2, "ip id", ValueFormat::kBigEndian},
    {6, 2, "ip frag-off", ValueFormat::kBigEndian}, {8, 1, "ip ttl", ValueFormat::kBigEndian},
    {9, 1, "ip protocol", ValueFormat::kProtocol},  {12, 4, "ip saddr", ValueFormat::kIpv4Address},
    {16, 4, "ip daddr", ValueFormat::kIpv4Address}};
constexpr HeaderField kIpv6[] = {{4, 2, "ip6 length", ValueFormat::kBigEndian},
                                 {6, 1, "ip6 nexthdr", ValueFormat::kProtocol},
                                 {7, 1, "ip6 hoplimit", ValueFormat::kBigEndian},
                                 {8, 16, "ip6 saddr", ValueFormat::kIpv6Address},
                                 {24, 16, "ip6 daddr", ValueFormat::kIpv6Address}};
constexpr HeaderField kTcpHeader[] = {
    {0, 2, "tcp sport", ValueFormat::kBigEndian},    {2, 2, "tcp dport", ValueFormat::kBigEndian},
    {4, 4, "tcp sequence", ValueFormat::kBigEndian}, {8, 4, "tcp ackseq", ValueFormat::kBigEndian},
    {13, 1, "tcp flags", ValueFormat::kTcpFlags},    {14, 2, "tcp window", ValueFormat::kBigEndian}};
constexpr HeaderField kUdpHeader[] = {{0, 2, "udp sport", ValueFormat::kBigEndian},
                                      {2, 2, "udp dport", ValueFormat::kBigEndian},
                                      {4, 2, "udp length", ValueFormat::kBigEndian}};
constexpr HeaderField kIcmpHeader[] = {{0, 1, "icmp type", ValueFormat::kIcmpType},
                                       {1, 1, "icmp code", ValueFormat::kBigEndian}};
constexpr HeaderField kIcmpv6Header[] = {{0, 1, "icmpv6 type", ValueFormat::kIcmpv6Type},
                                         {1, 1, "icmpv6 code", ValueFormat::kBigEndian}};
constexpr HeaderField kAnyTransport[] = {{0, 2, "th sport", ValueFormat::kBigEndian},
                                         {2, 2, "th dport", ValueFormat::kBigEndian}};

// nft's own words for bytes that are no field it knows: "@nh,72,8".
Field RawField(const PayloadLoad& payload) {
  static constexpr const char* kBases[] = {"ll", "nh", "th", "ih"};
  const char* base = payload.base < std::size(kBases) ? kBases[payload.base] : "?";
  return Field{std::string("@") + base + "," + std::to_string(std::uint64_t{payload.offset} * 8) + "," +
               std::to_string(std::uint64_t{payload.length} * 8)};
}

std::span<const HeaderField> TransportHeader(const PacketContext& context) {
  if (!context.protocol) {
    return kAnyTransport;
  }
  switch (*context.protocol) {
    case kTcp:
      return kTcpHeader;
    case kUdp:
      return kUdpHeader;
    case kIcmp:
      return kIcmpHeader;
    case kIcmpv6:
      return kIcmpv6Header;
    default:
      return kAnyTransport;
  }
}

Field PayloadField(const PayloadLoad& payload, const PacketContext& context) {
  std::span<const HeaderField> header;
  switch (payload.base) {
    case NFT_PAYLOAD_LL_HEADER:
      header = kEthernet;
      break;
    case NFT_PAYLOAD_NETWORK_HEADER:
      header = context.ipv4   ? std::span<const HeaderField>(kIpv4)
               : context.ipv6 ? std::span<const HeaderField>(kIpv6)
                              : std::span<const HeaderField>();
      break;
    case NFT_PAYLOAD_TRANSPORT_HEADER:
      header = TransportHeader(context);
      break;
    default:
      break;
  }
  const auto found = std::find_if(header.begin(), header.end(), [&](const HeaderField& field) {
    // A prefix of an address in whole bytes is loaded as so many bytes.
    return field.offset == payload.offset &&
           (field.length == payload.length || (IsAddress(field.format) && payload.length < field.length));
  });
  if (found == header.end()) {
    return RawField(payload);
  }
  const bool transport = payload.base == NFT_PAYLOAD_TRANSPORT_HEADER;
  const bool icmp = transport && context.protocol && (*context.protocol == kIcmp || *context.protocol == kIcmpv6);
  Field field{found->name, found->format};
  field.implies_network = payload.base == NFT_PAYLOAD_NETWORK_HEADER || icmp;
  field.implies_protocol = transport && header.data() != kAnyTransport;
  field.implies_link = payload.base == NFT_PAYLOAD_LL_HEADER;
  return field;
}

Field CtField(const CtLoad& load) {
  const KeyName* key = FindKey(kCt, load.key);
  if (key == nullptr) {
    return Field{"[ct]"};
  }
  const char* direction = !load.direction ? "ct " : *load.direction == 0 ? "ct original " : "ct reply ";
  return Field{std::string(direction) + key->name, key->format};
}

Field FibField(const Fib& fib) {
  static constexpr NamedBit kFlags[] = {{NFTA_FIB_F_SADDR, "saddr"},
                                        {NFTA_FIB_F_DADDR, "daddr"},
                                        {NFTA_FIB_F_MARK, "mark"},
                                        {NFTA_FIB_F_IIF, "iif"},
                                        {NFTA_FIB_F_OIF, "oif"}};
  const std::string asked =
      "fib " + BitsText(fib.flags & ~static_cast<std::uint32_t>(NFTA_FIB_F_PRESENT), kFlags, " . ");
  if (fib.result == NFT_FIB_RESULT_ADDRTYPE) {
    return Field{asked + " type", ValueFormat::kAddressType};
  }
  const bool present = (fib.flags & NFTA_FIB_F_PRESENT) != 0;
  return fib.result == NFT_FIB_RESULT_OIF
             ? Field{asked + " oif", present ? ValueFormat::kPresence : ValueFormat::kInterfaceIndex}
             : Field{asked + " oifname", present ? ValueFormat::kPresence : ValueFormat::kInterfaceName};
}

Field NumberGeneratorField(const NumberGenerator& generator) {
  std::string name = generator.type == NFT_NG_RANDOM ? "numgen random mod " : "numgen inc mod ";
  name += std::to_string(generator.modulus);
  return Field{generator.offset == 0 ? name : name + " offset " + std::to_string(generator.offset), ValueFormat::kHost};
}

Field SocketField(const SocketLoad& load) {
  switch (load.key) {
    case NFT_SOCKET_TRANSPARENT:
      return Field{"socket transparent", ValueFormat::kHost};
    case NFT_SOCKET_MARK:
      return Field{"socket mark", ValueFormat::kMark};
    case NFT_SOCKET_WILDCARD:
      return Field{"socket wildcard", ValueFormat::kHost};
    default:
      return Field{"[socket]"};
  }
}

// In the order of the alternatives of Expression.
constexpr std::string_view kKinds[] = {
    "immediate", "immediate", "payload", "payload", "meta",   "meta",   "ct",        "ct",       "bitwise", "byteorder",
    "numgen",    "hash",      "fib",     "rt",      "exthdr", "socket", "osf",       "tunnel",   "xfrm",    "inner",
    "cmp",       "range",     "lookup",  "dynset",  "limit",  "quota",  "connlimit", "counter",  "log",     "last",
    "notrack",   "reject",    "queue",   "nat",     "masq",   "redir",  "tproxy",    "synproxy", "dup",     "fwd",
    "flow",      "objref",    "objref",  "header",  "match",  "target", "unknown"};
static_assert(std::size(kKinds) == std::variant_size_v<ExpressionKinds>);

}  // namespace

Field FieldOf(const Operand& operand, const PacketContext& context) {
  if (operand.load == nullptr || operand.changed) {
    return Field{"[...]"};
  }
  Field field = FieldOf(*operand.load, context);
  field.turned = operand.turned;
  return field;
}

std::string_view KindOf(const Expression& expression) {
  if (const auto* unknown = std::get_if<UnknownExpression>(&expression); unknown != nullptr && !unknown->name.empty()) {
    return unknown->name;
  }
  return kKinds[expression.index()];
}

Field FieldOf(const Expression& load, const PacketContext& context) {
  if (const auto* payload = std::get_if<PayloadLoad>(&load)) {
    return PayloadField(*payload, context);
  }
  if (const auto* meta = std::get_if<MetaLoad>(&load)) {
    const KeyName* key = FindKey(kMeta, meta->key);
    return key != nullptr ? Field{key->name, key->format} : Field{"[meta]"};
  }
  if (const auto* ct = std::get_if<CtLoad>(&load)) {
    return CtField(*ct);
  }
  if (const auto* fib = std::get_if<Fib>(&load)) {
    return FibField(*fib);
  }
  if (const auto* generator = std::get_if<NumberGenerator>(&load)) {
    return NumberGeneratorField(*generator);
  }
  if (const auto* socket = std::get_if<SocketLoad>(&load)) {
    return SocketField(*socket);
  }
  return Field{"[" + std::string(KindOf(load)) + "]"};
}

}  // namespace finwait::firewall::print
