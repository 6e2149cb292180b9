#include "collectors/firewall/model/value_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace finwait::firewall {
namespace {

constexpr NamedBit kTcpFlags[] = {{0x01, "fin"}, {0x02, "syn"}, {0x04, "rst"}, {0x08, "psh"},
                                  {0x10, "ack"}, {0x20, "urg"}, {0x40, "ecn"}, {0x80, "cwr"}};

}  // namespace

std::string AddressText(std::span<const std::byte> address) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  if (address.size() == 4 || address.size() == 16) {
    ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
    return text.data();
  }
  return HexBytesText(address);
}

int PrefixLength(std::span<const std::byte> mask) {
  int length = 0;
  bool ended = false;
  for (const std::byte byte : mask) {
    const auto value = std::to_integer<std::uint8_t>(byte);
    const int ones = std::countl_one(value);
    if ((ended && value != 0) || std::popcount(value) != ones) {
      return -1;
    }
    length += ones;
    ended = ones < 8;
  }
  return length;
}

std::string ProtocolText(unsigned protocol) {
  switch (protocol) {
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_IGMP:
      return "igmp";
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_GRE:
      return "gre";
    case IPPROTO_ESP:
      return "esp";
    case IPPROTO_AH:
      return "ah";
    case IPPROTO_ICMPV6:
      return "ipv6-icmp";
    case IPPROTO_SCTP:
      return "sctp";
    case IPPROTO_UDPLITE:
      return "udplite";
    default:
      return std::to_string(protocol);
  }
}

std::string HexText(std::uint64_t number) {
  constexpr int kBitsOfADigit = 4;
  const int digits = (static_cast<int>(std::bit_width(number)) + kBitsOfADigit - 1) / kBitsOfADigit;
  return "0x" + Hex(number, std::max(digits, 1));
}

std::string HexBytesText(std::span<const std::byte> bytes) {
  std::string text = "0x";
  for (const std::byte byte : bytes) {
    text += Hex(std::to_integer<std::uint64_t>(byte), 2);
  }
  return text;
}

std::uint64_t BigEndianNumber(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  for (const std::byte byte : bytes) {
    number = number << 8 | std::to_integer<std::uint64_t>(byte);
  }
  return number;
}

std::uint64_t HostNumber(std::span<const std::byte> bytes) {
  if (std::endian::native == std::endian::big) {
    return BigEndianNumber(bytes);
  }
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof number));
  return number;
}

std::string BitsText(std::uint32_t bits, std::span<const NamedBit> names, std::string_view separator) {
  std::string text;
  const auto add = [&](std::string_view name) {
    text += text.empty() ? "" : std::string(separator);
    text += name;
  };
  for (const NamedBit& named : names) {
    if ((bits & named.bit) != 0) {
      add(named.name);
      bits &= ~named.bit;
    }
  }
  if (bits != 0 || text.empty()) {
    add(HexText(bits));
  }
  return text;
}

std::span<const NamedBit> TcpFlagNames() { return kTcpFlags; }

}  // namespace finwait::firewall
