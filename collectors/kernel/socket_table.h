#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "collectors/kernel/live_socket.h"

namespace finwait::kernel {

/// Live sockets in little memory: 32 bytes one of IPv4, 64 one of IPv6, in blocks that go back to the kernel with the
/// list. A busy host has 100,000 of them, and two looks at a time. Elements are values: they are packed when they are
/// put in and unpacked when they are taken out. LiveSocket::keepalive_due comes back rounded down to a sixteenth of a
/// second.
class LiveSocketList {
 public:
  LiveSocketList() = default;
  LiveSocketList(std::initializer_list<LiveSocket> sockets) : LiveSocketList(std::span(sockets)) {}
  explicit LiveSocketList(std::span<const LiveSocket> sockets);

  void Add(const LiveSocket& socket);
  /// Puts `socket` in place of the one at `position`, which has the same ends.
  void Replace(std::size_t position, const LiveSocket& socket);
  /// Leaves the first `size` of them.
  void Shorten(std::size_t size);

  std::size_t Size() const { return size_; }
  bool IsEmpty() const { return size_ == 0; }
  /// How many of a family have an entry.
  std::uint64_t CountTracked(IpFamily family) const { return tracked_[static_cast<std::size_t>(family)]; }
  LiveSocket operator[](std::size_t position) const;
  /// The same as of `(*this)[position]`, without unpacking all of it.
  std::uint64_t Cookie(std::size_t position) const { return At(position).cookie; }
  Tracking TrackingOf(std::size_t position) const;
  bool HasEnds(std::size_t position, const Endpoint& local, const Endpoint& peer) const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = LiveSocket;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = LiveSocket;

    Iterator(const LiveSocketList& list, std::size_t position) : list_(&list), position_(position) {}
    LiveSocket operator*() const { return (*list_)[position_]; }
    Iterator& operator++() {
      ++position_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return position_ == other.position_; }

   private:
    const LiveSocketList* list_;
    std::size_t position_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size_}; }

 private:
  using Ipv6Ends = std::array<std::byte, 32>;  // local, peer
  struct Packed {
    std::uint64_t cookie;
    std::uint32_t local;  // IPv4, as it is in memory; for IPv6 the position of both ends in ipv6_ends_
    std::uint32_t peer;
    std::uint16_t local_port;
    std::uint16_t peer_port;
    std::uint32_t uid;
    // In whole seconds: at 100 jiffies a second, the fewest, the kernel cannot tell more than 2^31 / 100.
    std::uint64_t remaining_seconds : 25;
    std::uint64_t keepalive_sixteenths : 26;  // of a second, up to 48 days; kNoKeepalive for none
    std::uint64_t state : 4;
    std::uint64_t entry_state : 4;  // kNoEntryState for none
    std::uint64_t ipv6 : 1;
    std::uint64_t tracked : 1;
    std::uint64_t source_nat : 1;
    std::uint64_t destination_nat : 1;
    std::uint64_t translated : 1;  // translations_ has it
  };
  static_assert(sizeof(Packed) == 32);
  static constexpr std::uint64_t kMostRemaining = (1U << 25) - 1;
  static constexpr std::uint64_t kNoKeepalive = (1U << 26) - 1;
  static constexpr std::uint64_t kNoEntryState = 15;
  static std::uint64_t Sixteenths(std::optional<std::chrono::milliseconds> keepalive_due);

  // Blocks of a fixed size instead of one that is copied as it grows: large enough to be mapped one by one (see
  // exporter/service/memory_policy.cc), and what of a block is not used costs no memory.
  template <typename T>
  using Blocks = std::vector<std::vector<T>>;
  static constexpr std::size_t kBlock = 4096;  // elements
  template <typename T>
  static void Append(Blocks<T>& blocks, const T& value);

  const Packed& At(std::size_t position) const { return packed_[position / kBlock][position % kBlock]; }
  Packed& At(std::size_t position) { return packed_[position / kBlock][position % kBlock]; }
  void PackAllButEnds(const LiveSocket& socket, std::size_t position, Packed& packed);

  static std::size_t FamilyIndex(const Packed& packed) {
    return static_cast<std::size_t>(packed.ipv6 != 0 ? IpFamily::kIpv6 : IpFamily::kIpv4);
  }

  std::size_t size_ = 0;
  std::array<std::uint64_t, 2> tracked_ = {};  // by IpFamily
  Blocks<Packed> packed_;
  std::size_t ipv6_size_ = 0;
  Blocks<Ipv6Ends> ipv6_ends_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const Translation>> translations_;  // by position
};

}  // namespace finwait::kernel
