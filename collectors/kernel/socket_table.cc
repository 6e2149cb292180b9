#include "collectors/kernel/live_socket_list.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace finwait::kernel {
namespace {

std::uint32_t Ipv4Word(const IpAddress& address) {
  std::uint32_t word = 0;
  std::memcpy(&word, address.Bytes().data(), sizeof word);
  return word;
}

IpAddress Address(std::span<const std::byte> bytes) { return IpAddress::FromBytes(bytes).value_or(IpAddress()); }

}  // namespace

LiveSocketList::LiveSocketList(std::span<const LiveSocket> sockets) {
  for (const LiveSocket& socket : sockets) {
    Add(socket);
  }
}

template <typename T>
void LiveSocketList::Append(Blocks<T>& blocks, const T& value) {
  if (blocks.empty() || blocks.back().size() == kBlock) {
    blocks.emplace_back().reserve(kBlock);
  }
  blocks.back().push_back(value);
}

void LiveSocketList::Add(const LiveSocket& socket) {
  Packed packed = {};
  packed.local_port = socket.local.port;
  packed.peer_port = socket.peer.port;
  // Both ends of a connection are of one family.
  packed.ipv6 = socket.local.address.Family() == IpFamily::kIpv6 ? 1 : 0;
  if (packed.ipv6 != 0) {
    packed.local = static_cast<std::uint32_t>(ipv6_size_);
    Ipv6Ends ends = {};
    std::ranges::copy(socket.local.address.Bytes(), ends.begin());
    std::ranges::copy(socket.peer.address.Bytes(), ends.begin() + 16);
    Append(ipv6_ends_, ends);
    ++ipv6_size_;
  } else {
    packed.local = Ipv4Word(socket.local.address);
    packed.peer = Ipv4Word(socket.peer.address);
  }
  PackAllButEnds(socket, size_, packed);
  Append(packed_, packed);
  ++size_;
}

void LiveSocketList::Replace(std::size_t position, const LiveSocket& socket) {
  PackAllButEnds(socket, position, At(position));
}

std::uint64_t LiveSocketList::Sixteenths(std::optional<std::chrono::milliseconds> keepalive_due) {
  if (!keepalive_due) {
    return kNoKeepalive;
  }
  return std::min<std::uint64_t>(
      static_cast<std::uint64_t>(std::max<std::int64_t>(keepalive_due->count(), 0)) * 16 / 1000, kNoKeepalive - 1);
}

void LiveSocketList::PackAllButEnds(const LiveSocket& socket, std::size_t position, Packed& packed) {
  packed.cookie = socket.cookie;
  packed.uid = socket.uid;
  packed.remaining_seconds = std::min<std::uint64_t>(socket.remaining_seconds, kMostRemaining) & kMostRemaining;
  packed.keepalive_sixteenths = Sixteenths(socket.keepalive_due) & kNoKeepalive;
  packed.state = static_cast<std::uint64_t>(socket.state) & 0xf;
  packed.entry_state = (socket.entry_state ? static_cast<std::uint64_t>(*socket.entry_state) : kNoEntryState) & 0xf;
  tracked_[FamilyIndex(packed)] -= packed.tracked;
  packed.tracked = socket.tracking == Tracking::kTracked ? 1 : 0;
  tracked_[FamilyIndex(packed)] += packed.tracked;
  packed.source_nat = socket.source_nat ? 1 : 0;
  packed.destination_nat = socket.destination_nat ? 1 : 0;
  if (packed.translated != 0 && socket.translation == nullptr) {
    translations_.erase(static_cast<std::uint32_t>(position));
  }
  packed.translated = socket.translation != nullptr ? 1 : 0;
  if (packed.translated != 0) {
    translations_[static_cast<std::uint32_t>(position)] = socket.translation;
  }
}

void LiveSocketList::Shorten(std::size_t size) {
  while (size_ > size) {
    --size_;
    const Packed& last = At(size_);
    tracked_[FamilyIndex(last)] -= last.tracked;
    if (last.translated != 0) {
      translations_.erase(static_cast<std::uint32_t>(size_));
    }
    if (last.ipv6 != 0) {
      --ipv6_size_;
      ipv6_ends_.back().pop_back();
      if (ipv6_ends_.back().empty()) {
        ipv6_ends_.pop_back();
      }
    }
    packed_.back().pop_back();
    if (packed_.back().empty()) {
      packed_.pop_back();
    }
  }
}

Tracking LiveSocketList::TrackingOf(std::size_t position) const {
  return At(position).tracked != 0 ? Tracking::kTracked : Tracking::kUntracked;
}

bool LiveSocketList::HasEnds(std::size_t position, const Endpoint& local, const Endpoint& peer) const {
  const Packed& packed = At(position);
  const bool ipv6 = local.address.Family() == IpFamily::kIpv6;
  if (packed.local_port != local.port || packed.peer_port != peer.port || (packed.ipv6 != 0) != ipv6 ||
      local.address.Family() != peer.address.Family()) {
    return false;
  }
  if (!ipv6) {
    return packed.local == Ipv4Word(local.address) && packed.peer == Ipv4Word(peer.address);
  }
  const Ipv6Ends& ends = ipv6_ends_[packed.local / kBlock][packed.local % kBlock];
  return std::ranges::equal(std::span(ends).first(16), local.address.Bytes()) &&
         std::ranges::equal(std::span(ends).last(16), peer.address.Bytes());
}

LiveSocket LiveSocketList::operator[](std::size_t position) const {
  const Packed& packed = At(position);
  LiveSocket socket;
  socket.cookie = packed.cookie;
  if (packed.ipv6 != 0) {
    const Ipv6Ends& ends = ipv6_ends_[packed.local / kBlock][packed.local % kBlock];
    socket.local.address = Address(std::span(ends).first(16));
    socket.peer.address = Address(std::span(ends).last(16));
  } else {
    socket.local.address = Address(std::as_bytes(std::span(&packed.local, 1)));
    socket.peer.address = Address(std::as_bytes(std::span(&packed.peer, 1)));
  }
  socket.local.port = packed.local_port;
  socket.peer.port = packed.peer_port;
  socket.state = static_cast<TcpState>(packed.state);
  socket.tracking = TrackingOf(position);
  socket.source_nat = packed.source_nat != 0;
  socket.destination_nat = packed.destination_nat != 0;
  if (packed.translated != 0) {
    socket.translation = translations_.at(static_cast<std::uint32_t>(position));
  }
  if (packed.entry_state != kNoEntryState) {
    socket.entry_state = static_cast<ConntrackTcpState>(packed.entry_state);
  }
  socket.remaining_seconds = static_cast<std::uint32_t>(packed.remaining_seconds);
  socket.uid = packed.uid;
  if (packed.keepalive_sixteenths != kNoKeepalive) {
    socket.keepalive_due = std::chrono::milliseconds((std::uint64_t{packed.keepalive_sixteenths} * 1000 + 15) / 16);
  }
  return socket;
}

}  // namespace finwait::kernel
