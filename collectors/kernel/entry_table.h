#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "collectors/base/blocks.h"
#include "collectors/base/ip.h"
#include "collectors/codec/forward.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// The conntrack entries of a table of sockets, as a column beside it: 4 bytes a socket, by the socket's position.
/// Elements are values: they are packed when they are put in and unpacked when they are taken out.
class EntryTable {
 public:
  /// Adds the entry of the next socket.
  void Add(IpFamily family, const SocketEntry& entry);
  /// Puts `entry`, of a connection of `family`, in place of the one at `position`.
  void Replace(std::size_t position, IpFamily family, const SocketEntry& entry);
  /// Takes the last one away, which is of `family`.
  void RemoveLast(IpFamily family);

  /// To another process. What was decoded is sound once AcceptEntry() was true for each position, in order.
  void Encode(codec::Encoder& encoder) const;
  [[nodiscard]] bool Decode(codec::Decoder& decoder);
  [[nodiscard]] bool AcceptEntry(std::size_t position, IpFamily family);
  std::size_t Size() const { return packed_.Size(); }

  SocketEntry operator[](std::size_t position) const;
  Tracking TrackingOf(std::size_t position) const;
  /// How many of a family are there.
  std::uint64_t CountTracked(IpFamily family) const { return tracked_[family]; }

 private:
  struct Packed {
    // Whole seconds: at 100 jiffies a second, the fewest, the kernel cannot tell more than 2^31 / 100.
    std::uint32_t remaining_seconds : 25;
    std::uint32_t state : 4;  // a ConntrackTcpState, or one of the three below
    std::uint32_t source_nat : 1;
    std::uint32_t destination_nat : 1;
    std::uint32_t translated : 1;  // translations_ has it
  };
  static_assert(sizeof(Packed) == 4);
  static constexpr std::uint32_t kMostRemaining = (1U << 25) - 1;
  static constexpr std::uint32_t kTrackedInUnknownState = 13;
  static constexpr std::uint32_t kUntracked = 14;
  static constexpr std::uint32_t kUnknown = 15;

  static bool IsTracked(const Packed& packed) { return packed.state <= kTrackedInUnknownState; }
  static Packed Pack(const SocketEntry& entry);
  std::uint64_t& Tracked(IpFamily family) { return tracked_[family]; }

  Blocks<Packed> packed_;
  PerFamily<std::uint64_t> tracked_ = {};
  // By position: few connections are translated.
  std::unordered_map<std::uint32_t, std::shared_ptr<const Translation>> translations_;
};

}  // namespace finwait::kernel
