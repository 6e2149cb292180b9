#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "collectors/base/blocks.h"
#include "collectors/codec/forward.h"
#include "collectors/kernel/entry_table.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// Sockets and their conntrack entries in little memory: 36 bytes one of IPv4, 68 one of IPv6. A busy host has 100,000
/// of them, and two tables at a time. Elements are values: they are packed when they are put in and unpacked when they
/// are taken out. A keepalive timer comes back rounded down to a sixteenth of a second, an idle time to a whole second;
/// other timers, tries, and what else tcp_info tells are not kept.
class SocketTable {
 public:
  SocketTable() = default;
  SocketTable(std::initializer_list<TcpSocket> sockets) : SocketTable(std::span(sockets)) {}
  explicit SocketTable(std::span<const TcpSocket> sockets);

  void Add(const TcpSocket& socket);
  /// Puts `entry` in place of what was known of the entry of the socket at `position`.
  void SetEntry(std::size_t position, const SocketEntry& entry);
  /// Leaves the first `size` of them.
  void Shorten(std::size_t size);

  /// To another process: packed as it is. Decode() checks row by row; false where the bytes are no table.
  void Encode(codec::Encoder& encoder) const;
  [[nodiscard]] bool Decode(codec::Decoder& decoder);

  std::size_t Size() const { return rows_.Size(); }
  bool IsEmpty() const { return Size() == 0; }
  /// How many of a family have an entry.
  std::uint64_t CountTracked(IpFamily family) const { return entries_.CountTracked(family); }
  TcpSocket operator[](std::size_t position) const;
  /// The same as of `(*this)[position]`, without unpacking all of it.
  std::uint64_t Cookie(std::size_t position) const { return CookieOf(rows_[position]); }
  Tracking TrackingOf(std::size_t position) const { return entries_.TrackingOf(position); }
  bool HasEnds(std::size_t position, const Endpoint& local, const Endpoint& peer) const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = TcpSocket;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = TcpSocket;

    Iterator(const SocketTable& table, std::size_t position) : table_(&table), position_(position) {}
    TcpSocket operator*() const { return (*table_)[position_]; }
    Iterator& operator++() {
      ++position_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return position_ == other.position_; }

   private:
    const SocketTable* table_;
    std::size_t position_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, Size()}; }

 private:
  using Ipv6Ends = std::array<std::byte, 32>;  // local, peer
  // What the sockets of one program share as a rule.
  struct Profile {
    std::uint32_t uid = 0;
    std::uint32_t device = 0;
    std::optional<std::uint32_t> mark;
    std::optional<std::uint64_t> cgroup_id;
    std::optional<std::uint8_t> type_of_service;
    std::optional<bool> multipath = false;
    bool operator==(const Profile&) const = default;
  };
  struct Row {
    std::array<std::uint32_t, 2> cookie;  // in halves, so that a row is aligned to 4 bytes
    std::uint32_t local;                  // IPv4, as it is in memory; for IPv6 the position of both ends in ipv6_ends_
    std::uint32_t peer;
    std::uint16_t local_port;
    std::uint16_t peer_port;
    std::uint32_t profile;                    // position in profiles_
    std::uint32_t keepalive_sixteenths : 25;  // of a second, up to 24 days; kNoKeepalive for none
    std::uint32_t has_queued : 1;
    std::uint32_t state : 4;
    std::uint32_t orphan : 1;
    std::uint32_t ipv6 : 1;
    std::uint32_t idle_seconds : 22;  // up to 48 days; kNoIdle for unknown
    std::uint32_t segments : 8;
    std::uint32_t opened_here : 2;  // 0, 1, or kUnknownOpener
  };
  static_assert(sizeof(Row) == 32);
  static constexpr std::uint32_t kNoIdle = (1U << 22) - 1;
  static constexpr std::uint32_t kUnknownOpener = 2;
  static constexpr std::uint32_t kNoKeepalive = (1U << 25) - 1;

  static std::uint64_t CookieOf(const Row& row) { return std::uint64_t{row.cookie[1]} << 32 | row.cookie[0]; }
  static IpFamily FamilyOf(const Row& row) { return row.ipv6 != 0 ? IpFamily::kIpv6 : IpFamily::kIpv4; }
  static std::uint32_t Sixteenths(std::optional<std::chrono::milliseconds> keepalive_due);
  static std::size_t Hash(const Profile& profile);
  /// In profiles_, where it is added if it is not there.
  std::uint32_t PositionOf(const Profile& profile);
  /// Where in profile_slots_ it is, or would be. At least half of them are empty, so this ends.
  std::vector<std::uint32_t>::iterator SlotOf(const Profile& profile);

  Blocks<Row> rows_;
  EntryTable entries_;
  Blocks<Ipv6Ends> ipv6_ends_;
  std::vector<Profile> profiles_;
  static constexpr std::uint32_t kEmpty = 0xffffffff;
  std::vector<std::uint32_t> profile_slots_;  // a hash of positions in profiles_: a power of two; linear probing
};

}  // namespace finwait::kernel
