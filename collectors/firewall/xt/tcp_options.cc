#include "collectors/firewall/xt/tcp_options.h"

#include <cstddef>

namespace finwait::firewall::xt {
namespace {

constexpr std::size_t kOffsetByte = 12;  // of the TCP header: its size in words of 4 bytes, in the upper half
constexpr std::uint8_t kSyn = 0x02;

}  // namespace

Tristate HasTcpOption(const Packet& packet, std::uint32_t option) {
  constexpr std::uint32_t kMaximumSegmentSize = 2;
  constexpr std::uint32_t kWindowScale = 3;
  constexpr std::uint32_t kSackPermitted = 4;
  if (option == kMaximumSegmentSize || option == kWindowScale || option == kSackPermitted) {
    return Tristate::kNo;
  }
  // Selective acknowledgements, MPTCP and authentication are not told of a socket.
  if (option != kTcpTimestamps || packet.transport[kOffsetByte].field != Field::kTcpOffset ||
      (packet.TcpFlags().value & kSyn) != 0) {
    return Tristate::kUnknown;
  }
  // A header of 20 bytes has no options; one of 32 has timestamps, between two of padding.
  Tristate there = Tristate::kUnknown;
  const IntervalSet domain = packet.Domain(Field::kTcpOffset);
  for (const IntervalSet::Interval& byte : domain.Intervals()) {
    const bool plain = byte.first >= 0x50 && byte.last <= 0x5f;
    const bool with_timestamps = byte.first >= 0x80 && byte.last <= 0x8f;
    const Tristate here = TristateOf(with_timestamps);
    if ((!plain && !with_timestamps) || (there != Tristate::kUnknown && there != here)) {
      return Tristate::kUnknown;
    }
    there = here;
  }
  return there;
}

void StripTcpTimestamps(Packet& packet) { packet.transport[kOffsetByte] = AbstractByte::Unknown(); }

}  // namespace finwait::firewall::xt
