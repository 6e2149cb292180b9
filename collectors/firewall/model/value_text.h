#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "collectors/base/text.h"
#include "collectors/firewall/model/expression.h"

/// Values as iptables and nft write them.
namespace finwait::firewall {

/// 4 bytes as IPv4, 16 as IPv6, in network order; other sizes as hexadecimal.
std::string AddressText(std::span<const std::byte> address);

/// The number of leading one bits, or -1 when there are ones behind a zero.
int PrefixLength(std::span<const std::byte> mask);

/// "tcp", "udp"... or the number.
std::string ProtocolText(unsigned protocol);

/// "0x1f", without leading zeros.
std::string HexText(std::uint64_t number);

/// "0x" and two digits a byte.
std::string HexBytesText(std::span<const std::byte> bytes);

/// The bytes as one number, most significant byte first; of more than 8 bytes the last 8.
std::uint64_t BigEndianNumber(std::span<const std::byte> bytes);
/// The bytes as one number in the host's order.
std::uint64_t HostNumber(std::span<const std::byte> bytes);

/// A bit and its name.
struct NamedBit {
  std::uint32_t bit = 0;
  std::string_view name;
};
/// The names of the bits in `bits`, in the order of `names`, joined by `separator`. Bits without a name follow in
/// hexadecimal.
std::string BitsText(std::uint32_t bits, std::span<const NamedBit> names, std::string_view separator);

/// fin, syn, rst, psh, ack, urg, ecn, cwr.
std::span<const NamedBit> TcpFlagNames();

}  // namespace finwait::firewall
