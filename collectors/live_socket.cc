#include "collectors/live_socket.h"

#include <sys/socket.h>

#include <bit>
#include <cstring>
#include <random>

#include "collectors/socket_dump.h"
#include "collectors/sockets.h"

namespace finwait {

Result<std::vector<LiveSocket>> ReadLiveSockets(const Host& host, Deadline deadline) {
  std::uint32_t states = 0;
  for (const TcpState state :
       {TcpState::kEstablished, TcpState::kCloseWait, TcpState::kFinWait1, TcpState::kClosing, TcpState::kLastAck}) {
    states |= KernelStateBit(state);
  }
  std::vector<LiveSocket> live;
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t before = live.size();
    netlink::FunctionSink sink([&] { live.resize(before); },
                               [&](const netlink::Message& message) -> Result<void> {
                                 const auto record = sockets::Decode(message.payload);
                                 if (!record) {
                                   return Failure(record.error());
                                 }
                                 if (!*record) {
                                   return {};
                                 }
                                 const ClosingSocket& socket = (*record)->closing;
                                 LiveSocket& added = live.emplace_back();
                                 added.cookie = socket.cookie;
                                 added.local = socket.local;
                                 added.peer = socket.peer;
                                 added.state = socket.state;
                                 added.interface_index = socket.interface_index;
                                 added.uid = socket.uid;
                                 if (socket.timer == SocketTimer::kKeepalive) {
                                   added.keepalive_due = socket.timer_expires;
                                 }
                                 return {};
                               });
    if (auto dumped = DumpTcpSockets(host, family, states, 0, deadline, sink); !dumped) {
      return Failure(dumped.error());
    }
  }
  return live;
}

LiveSocketIndex::LiveSocketIndex(const std::vector<LiveSocket>& sockets)
    : sockets_(sockets), seed_(std::random_device{}()), slots_(std::bit_ceil(sockets.size() * 2 + 2), kEmpty) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    std::size_t slot = Hash(sockets[i].local, sockets[i].peer) & mask;
    while (slots_[slot] != kEmpty) {
      slot = (slot + 1) & mask;
    }
    slots_[slot] = static_cast<std::uint32_t>(i);
  }
}

std::uint64_t LiveSocketIndex::Hash(const Endpoint& local, const Endpoint& peer) const {
  std::uint64_t hash = seed_ << 32 | std::uint64_t{local.port} << 16 | peer.port;
  for (const IpAddress* address : {&local.address, &peer.address}) {
    std::uint64_t words[2] = {};
    std::memcpy(words, address->Bytes().data(), address->Bytes().size());
    for (const std::uint64_t word : words) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
      hash ^= hash >> 32;
    }
  }
  return hash;
}

std::optional<std::size_t> LiveSocketIndex::Find(const Endpoint& local, const Endpoint& peer) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = Hash(local, peer) & mask; slots_[slot] != kEmpty; slot = (slot + 1) & mask) {
    const LiveSocket& socket = sockets_[slots_[slot]];
    if (socket.local == local && socket.peer == peer) {
      return slots_[slot];
    }
  }
  return std::nullopt;
}

}  // namespace finwait
