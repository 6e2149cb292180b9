#include "collectors/kernel/socket_index.h"

#include <bit>
#include <cstring>
#include <random>

#include "collectors/base/hash.h"

namespace finwait::kernel {

SocketIndex::SocketIndex(const SocketTable& sockets)
    : sockets_(sockets), seed_(std::random_device{}()), slots_(std::bit_ceil(sockets.Size() * 2 + 2), kEmpty) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    const TcpSocket socket = sockets[i];
    std::size_t slot = Hash(socket.local, socket.peer) & mask;
    while (slots_[slot] != kEmpty) {
      slot = (slot + 1) & mask;
    }
    slots_[slot] = static_cast<std::uint32_t>(i);
  }
}

std::uint64_t SocketIndex::Hash(const Endpoint& local, const Endpoint& peer) const {
  std::uint64_t hash = seed_ << 32 | std::uint64_t{local.port} << 16 | peer.port;
  for (const IpAddress* address : {&local.address, &peer.address}) {
    std::uint64_t words[2] = {};
    std::memcpy(words, address->Bytes().data(), address->Bytes().size());
    for (const std::uint64_t word : words) {
      hash = MixHash(hash, word);
    }
  }
  return hash;
}

std::optional<std::size_t> SocketIndex::Find(const Endpoint& local, const Endpoint& peer) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = Hash(local, peer) & mask; slots_[slot] != kEmpty; slot = (slot + 1) & mask) {
    if (sockets_.HasEnds(slots_[slot], local, peer)) {
      return slots_[slot];
    }
  }
  return std::nullopt;
}

}  // namespace finwait::kernel
