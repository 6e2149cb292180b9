#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collectors/firewall/model/expression.h"
#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/print/rule_steps.h"
#include "collectors/kernel/netlink/attributes.h"

/// What nft calls the things that rules load.
namespace finwait::firewall::print {

/// How a value is written.
enum class ValueFormat {
  kHex,        ///< bytes, most significant first
  kBigEndian,  ///< a number in network order
  kHost,       ///< a number in the host's order
  kMark,       ///< host order, "0x0000000a"
  kIpv4Address,
  kIpv6Address,
  kLinkAddress,     ///< a MAC address
  kInterfaceName,   ///< "eth0", a prefix as "eth*"
  kInterfaceIndex,  ///< the name where it is known (always: 1 is lo), else the number
  kProtocol,        ///< of IP
  kNetworkFamily,   ///< NFPROTO_*
  kEtherType,
  kTcpFlags,
  kCtState,
  kCtStatus,
  kCtDirection,
  kIcmpType,
  kIcmpv6Type,
  kPacketType,
  kAddressType,
  kLinkType,  ///< ARPHRD_*
  kPresence,  ///< "exists", "missing"
  kSeconds,   ///< host order milliseconds, as "5s"
};

/// Whether values are sets of bits, each with a name.
bool IsBits(ValueFormat format);
bool IsAddress(ValueFormat format);
/// Whether nft sorts values by their last byte first, as numbers of a little-endian host.
bool IsHostOrder(ValueFormat format);

/// What is known of the packet where a rule has come to.
struct PacketContext {
  bool ipv4 = false;
  bool ipv6 = false;
  std::optional<unsigned> protocol;  ///< IP protocol
};

struct Field {
  std::string name;
  ValueFormat format = ValueFormat::kHex;
  /// The name alone says that the packet is IPv4 or IPv6, or of an IP protocol: nft leaves out the tests for that.
  bool implies_network = false;
  bool implies_protocol = false;
  bool implies_link = false;  ///< likewise, that the link is Ethernet
  /// A number of the host's order was turned into network order before it was compared.
  bool turned = false;
};

/// The field that was loaded; a placeholder "[name]" where nft's word for it is not known here.
Field FieldOf(const Expression& load, const PacketContext& context);
/// What a register holds, likewise.
Field FieldOf(const Operand& operand, const PacketContext& context);

/// The kernel's name of an expression, for placeholders.
std::string_view KindOf(const Expression& expression);

/// `value` as nft writes it. May be shorter than the field (a prefix of whole bytes).
std::string ValueText(const Field& field, kernel::netlink::Bytes value);
/// The names of all the bits in a value of a format that IsBits, joined by commas.
std::string FlagsText(const Field& field, kernel::netlink::Bytes value);
/// A range, as a prefix where it is one.
std::string RangeText(const Field& field, kernel::netlink::Bytes from, kernel::netlink::Bytes to);

}  // namespace finwait::firewall::print
