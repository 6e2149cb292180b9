#include "collectors/kernel/socket_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "collectors/base/hash.h"

namespace finwait::kernel {
namespace {

std::uint32_t Ipv4Word(const IpAddress& address) {
  std::uint32_t word = 0;
  std::memcpy(&word, address.Bytes().data(), sizeof word);
  return word;
}

IpAddress Address(std::span<const std::byte> bytes) { return IpAddress::FromBytes(bytes).value_or(IpAddress()); }

}  // namespace

SocketTable::SocketTable(std::span<const TcpSocket> sockets) {
  for (const TcpSocket& socket : sockets) {
    Add(socket);
  }
}

void SocketTable::Add(const TcpSocket& socket) {
  Row row = {};
  row.cookie = {static_cast<std::uint32_t>(socket.cookie), static_cast<std::uint32_t>(socket.cookie >> 32)};
  row.local_port = socket.local.port;
  row.peer_port = socket.peer.port;
  // Both ends of a connection are of one family.
  const IpFamily family = socket.local.address.Family();
  row.ipv6 = family == IpFamily::kIpv6 ? 1 : 0;
  if (row.ipv6 != 0) {
    row.local = static_cast<std::uint32_t>(ipv6_ends_.Size());
    Ipv6Ends ends = {};
    std::ranges::copy(socket.local.address.Bytes(), ends.begin());
    std::ranges::copy(socket.peer.address.Bytes(), ends.begin() + 16);
    ipv6_ends_.Add(ends);
  } else {
    row.local = Ipv4Word(socket.local.address);
    row.peer = Ipv4Word(socket.peer.address);
  }
  row.profile =
      PositionOf({socket.uid, socket.device, socket.mark, socket.cgroup_id, socket.type_of_service, socket.multipath});
  row.keepalive_sixteenths = Sixteenths(socket.KeepaliveDue()) & kNoKeepalive;
  row.state = static_cast<std::uint32_t>(socket.state) & 0xf;
  row.orphan = socket.orphan ? 1 : 0;
  row.has_queued = socket.has_queued ? 1 : 0;
  row.idle_seconds = kNoIdle;
  if (socket.idle) {
    const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(*socket.idle).count();
    row.idle_seconds = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, kNoIdle - 1)) & kNoIdle;
  }
  row.segments = socket.segments;
  row.opened_here = !socket.opened_here ? kUnknownOpener : *socket.opened_here ? 1U : 0U;
  rows_.Add(row);
  entries_.Add(family, socket.entry);
}

void SocketTable::SetEntry(std::size_t position, const SocketEntry& entry) {
  entries_.Replace(position, FamilyOf(rows_[position]), entry);
}

std::size_t SocketTable::Hash(const Profile& profile) {
  std::uint64_t hash = 0;
  for (const std::uint64_t word :
       {std::uint64_t{profile.uid}, std::uint64_t{profile.device}, std::uint64_t{profile.mark.value_or(0)},
        profile.cgroup_id.value_or(0), std::uint64_t{profile.type_of_service.value_or(0)}}) {
    hash = MixHash(hash, word);
  }
  return static_cast<std::size_t>(hash);
}

std::uint32_t SocketTable::PositionOf(const Profile& profile) {
  if ((profiles_.size() + 1) * 2 > profile_slots_.size()) {
    profile_slots_.assign(std::max<std::size_t>(16, std::bit_ceil((profiles_.size() + 1) * 2)), kEmpty);
    for (std::uint32_t i = 0; i < profiles_.size(); ++i) {
      *SlotOf(profiles_[i]) = i;
    }
  }
  std::uint32_t& slot = *SlotOf(profile);
  if (slot == kEmpty) {
    slot = static_cast<std::uint32_t>(profiles_.size());
    profiles_.push_back(profile);
  }
  return slot;
}

std::vector<std::uint32_t>::iterator SocketTable::SlotOf(const Profile& profile) {
  const std::size_t mask = profile_slots_.size() - 1;
  std::size_t slot = Hash(profile) & mask;
  while (profile_slots_[slot] != kEmpty && profiles_[profile_slots_[slot]] != profile) {
    slot = (slot + 1) & mask;
  }
  return profile_slots_.begin() + static_cast<std::ptrdiff_t>(slot);
}

std::uint32_t SocketTable::Sixteenths(std::optional<std::chrono::milliseconds> keepalive_due) {
  if (!keepalive_due) {
    return kNoKeepalive;
  }
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(keepalive_due->count(), 0));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(milliseconds * 16 / 1000, kNoKeepalive - 1));
}

void SocketTable::Shorten(std::size_t size) {
  while (Size() > size) {
    const Row& last = rows_[Size() - 1];
    entries_.RemoveLast(FamilyOf(last));
    if (last.ipv6 != 0) {
      ipv6_ends_.RemoveLast();
    }
    rows_.RemoveLast();
  }
}

bool SocketTable::HasEnds(std::size_t position, const Endpoint& local, const Endpoint& peer) const {
  const Row& row = rows_[position];
  const bool ipv6 = local.address.Family() == IpFamily::kIpv6;
  if (row.local_port != local.port || row.peer_port != peer.port || (row.ipv6 != 0) != ipv6 ||
      local.address.Family() != peer.address.Family()) {
    return false;
  }
  if (!ipv6) {
    return row.local == Ipv4Word(local.address) && row.peer == Ipv4Word(peer.address);
  }
  const Ipv6Ends& ends = ipv6_ends_[row.local];
  return std::ranges::equal(std::span(ends).first(16), local.address.Bytes()) &&
         std::ranges::equal(std::span(ends).last(16), peer.address.Bytes());
}

TcpSocket SocketTable::operator[](std::size_t position) const {
  const Row& row = rows_[position];
  TcpSocket socket;
  socket.cookie = CookieOf(row);
  if (row.ipv6 != 0) {
    const Ipv6Ends& ends = ipv6_ends_[row.local];
    socket.local.address = Address(std::span(ends).first(16));
    socket.peer.address = Address(std::span(ends).last(16));
  } else {
    socket.local.address = Address(std::as_bytes(std::span(&row.local, 1)));
    socket.peer.address = Address(std::as_bytes(std::span(&row.peer, 1)));
  }
  socket.local.port = row.local_port;
  socket.peer.port = row.peer_port;
  socket.state = static_cast<TcpState>(row.state);
  socket.orphan = row.orphan != 0;
  socket.has_queued = row.has_queued != 0;
  const Profile& profile = profiles_[row.profile];
  socket.uid = profile.uid;
  socket.device = profile.device;
  socket.mark = profile.mark;
  socket.cgroup_id = profile.cgroup_id;
  socket.type_of_service = profile.type_of_service;
  socket.multipath = profile.multipath;
  if (row.keepalive_sixteenths != kNoKeepalive) {
    socket.timer = SocketTimer::kKeepalive;
    socket.timer_expires = std::chrono::milliseconds((std::uint64_t{row.keepalive_sixteenths} * 1000 + 15) / 16);
  }
  if (row.idle_seconds != kNoIdle) {
    socket.idle = std::chrono::seconds(row.idle_seconds);
  }
  socket.segments = static_cast<std::uint8_t>(row.segments);
  if (row.opened_here != kUnknownOpener) {
    socket.opened_here = row.opened_here == 1;
  }
  socket.entry = entries_[position];
  return socket;
}

}  // namespace finwait::kernel
