#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/packet/interval_set.h"

namespace finwait::firewall::packet {

/// A property of a packet that need not be known. Its bytes can be loaded, masked and reordered; what a condition on
/// them says is narrowed down in the packet's domain of that field.
enum class Field : std::uint8_t {
  kNone,  ///< no field: a byte that nobody can say anything about
  kSourceAddress,
  kDestinationAddress,
  kSourcePort,
  kDestinationPort,
  kInName,
  kInIndex,
  kInType,
  kInGroup,
  kInKind,
  kOutName,
  kOutIndex,
  kOutType,
  kOutGroup,
  kOutKind,
  kMark,
  kConnectionMark,  ///< of conntrack's entry
  kPriority,
  kUser,
  kGroup,
  kSourceMac,
  kDestinationMac,
  kTypeOfService,  ///< IPv4: DSCP and ECN
  kFirstWord,      ///< IPv6: version, traffic class, flow label
  kTimeToLive,
  kIpLength,  ///< IPv4 total length, IPv6 payload length
  kIdentification,
  kFragment,
  kIpChecksum,
  kSequence,
  kAcknowledgement,
  kTcpOffset,
  kTcpFlags,
  kWindow,
  kTcpChecksum,
  kPacketLength,
  kTime,     ///< nanoseconds since 1970 (UTC)
  kDaytime,  ///< seconds since midnight (UTC)
  kWeekday,  ///< 0: Sunday; in the kernel's time zone
  kChance,   ///< a number that a rule draws or hashes; only its range is known
  kCount,
};

/// The field's size in bytes; addresses depend on the family.
unsigned SizeOf(Field field, IpFamily family);

/// Whether the field tells connections (and not packets of one connection) apart. Of these the representative
/// connection has a value that no rule singles out; all others are simply unknown.
bool TellsConnectionsApart(Field field);

/// For reasons: "the source address".
std::string_view Name(Field field);

/// One byte of which each bit is either known or a bit of a field's byte at the same position.
struct AbstractByte {
  std::uint8_t value = 0;     ///< meaningful where `known` has a 1
  std::uint8_t known = 0xff;  ///< 1: the bit is `value`'s
  Field field = Field::kNone;
  std::uint8_t index = 0;  ///< which byte of the field, from the most significant

  static AbstractByte Known(std::uint8_t value) { return {value, 0xff, Field::kNone, 0}; }
  static AbstractByte Known(std::byte value) { return Known(std::to_integer<std::uint8_t>(value)); }
  static AbstractByte Of(Field field, unsigned index) { return {0, 0, field, static_cast<std::uint8_t>(index)}; }
  static AbstractByte Unknown() { return {0, 0, Field::kNone, 0}; }
  bool IsKnown() const { return known == 0xff; }
  bool operator==(const AbstractByte&) const = default;
};

using AbstractBytes = std::span<const AbstractByte>;

/// N bytes, the most significant first.
template <std::size_t N>
struct AbstractNumber {
  std::array<AbstractByte, N> bytes;

  static AbstractNumber Known(Wide value) {
    AbstractNumber number;
    for (std::size_t i = 0; i < N; ++i) {
      number.bytes[i] = AbstractByte::Known(static_cast<std::uint8_t>(value >> (8 * (N - 1 - i))));
    }
    return number;
  }
  static AbstractNumber Of(Field field) {
    AbstractNumber number;
    for (std::size_t i = 0; i < N; ++i) {
      number.bytes[i] = AbstractByte::Of(field, static_cast<unsigned>(i));
    }
    return number;
  }
  static AbstractNumber Unknown() {
    AbstractNumber number;
    number.bytes.fill(AbstractByte::Unknown());
    return number;
  }
  bool operator==(const AbstractNumber&) const = default;
};

/// The number that `bytes` make, most significant first; false where a bit is not known.
bool KnownNumber(AbstractBytes bytes, Wide* number);

/// The field that `bytes` are the leading bytes of, whole and in order; kNone where they are not.
Field LeadingBytesOf(AbstractBytes bytes);

}  // namespace finwait::firewall::packet
