#include "exporter/diagnosis/connection_memory.h"

#include <algorithm>
#include <utility>

namespace finwait {
namespace {

// Its peer's FIN has come, and given the entry another timeout.
bool PeerHasClosed(TcpState state) {
  return state == TcpState::kCloseWait || state == TcpState::kLastAck || state == TcpState::kClosing;
}

}  // namespace

std::string_view Name(EntryEnd end) {
  switch (end) {
    case EntryEnd::kStillThere:
      return "present";
    case EntryEnd::kTimedOut:
      return "timed_out";
    case EntryEnd::kRemoved:
      return "removed";
    case EntryEnd::kNeverSeen:
    case EntryEnd::kUnknown:
      return "unknown";
  }
  return "unknown";
}

void ConnectionMemory::Update(const TrackingSample& sample, SteadyClock::time_point now) {
  try {
    Merge(sample, now);
  } catch (...) {
    // Out of memory half-way: what is half a look and half another must not be believed. The next look begins anew.
    connections_.clear();
    translations_.clear();
    throw;
  }
}

void ConnectionMemory::Merge(const TrackingSample& sample, SteadyClock::time_point now) {
  if (connections_.empty()) {
    epoch_ = now;
  }
  // In place: two memories beside two samples would be the most that this program holds.
  std::vector<Packed> added;
  Translations translations;
  for (const LiveSocket& socket : sample.sockets) {
    const auto known = PositionOf(socket.cookie);
    if (known && connections_[*known].listed != 0) {
      continue;  // a dump may list a socket twice
    }
    Memory memory = known ? Unpack(connections_[*known]) : Memory();
    Learn(socket, now, memory);
    Packed packed = Pack(socket.cookie, memory);
    packed.listed = 1;
    if (known) {
      connections_[*known] = packed;
    } else {
      added.push_back(packed);
    }
    if (memory.past.translation != nullptr) {
      translations[socket.cookie] = std::move(memory.past.translation);
    }
  }
  translations_ = std::move(translations);
  std::erase_if(connections_, [](const Packed& packed) { return packed.listed == 0; });
  connections_.insert(connections_.end(), added.begin(), added.end());
  for (Packed& packed : connections_) {
    packed.listed = 0;
  }
  std::ranges::sort(connections_, {}, &Packed::cookie);
  if (connections_.capacity() > 2 * connections_.size()) {
    connections_.shrink_to_fit();
  }
}

void ConnectionMemory::Learn(const LiveSocket& socket, SteadyClock::time_point now, Memory& memory) {
  // CTA_TIMEOUT counts whole seconds, and the sample took a moment.
  constexpr auto kSlack = std::chrono::seconds(2);
  ConnectionPast& past = memory.past;
  if (socket.IsOpen()) {
    // The keepalive timer gives way to others while data is on its way: once seen, it stays seen.
    past.keepalive = past.keepalive.value_or(false) || socket.keepalive_due.has_value();
  }
  if (socket.tracking == Tracking::kTracked) {
    past.entry_end = EntryEnd::kStillThere;
    past.entry_state = socket.entry_state;
    past.source_nat = socket.source_nat;
    past.destination_nat = socket.destination_nat;
    past.translation = socket.translation;
    past.lost_while_open = false;
    past.closed_tracked = past.closed_tracked || !socket.IsOpen();
    memory.ends_at = now + std::chrono::seconds(socket.remaining_seconds);
    memory.state = socket.state;
    return;
  }
  past.lost_while_open = past.lost_while_open || socket.IsOpen();
  if (past.entry_end == EntryEnd::kStillThere) {
    const bool peer_closed_since = memory.state != socket.state && PeerHasClosed(socket.state);
    past.entry_end = now + kSlack >= memory.ends_at ? EntryEnd::kTimedOut
                     : peer_closed_since            ? EntryEnd::kUnknown
                                                    : EntryEnd::kRemoved;
  }
}

ConnectionMemory::Packed ConnectionMemory::Pack(std::uint64_t cookie, const Memory& memory) const {
  const ConnectionPast& past = memory.past;
  Packed packed = {};
  packed.cookie = cookie;
  packed.ends_at = static_cast<std::uint32_t>(
      std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(memory.ends_at - epoch_).count()));
  packed.state = static_cast<std::uint32_t>(memory.state) & 0xf;
  packed.entry_end = static_cast<std::uint32_t>(past.entry_end) & 0x7;
  packed.entry_state = (past.entry_state ? static_cast<std::uint32_t>(*past.entry_state) : kNoEntryState) & 0xf;
  packed.keepalive = !past.keepalive ? kUnknownKeepalive : *past.keepalive ? 1U : 0U;
  packed.source_nat = past.source_nat;
  packed.destination_nat = past.destination_nat;
  packed.translated = past.translation != nullptr;
  packed.lost_while_open = past.lost_while_open;
  packed.closed_tracked = past.closed_tracked;
  return packed;
}

std::optional<std::size_t> ConnectionMemory::PositionOf(std::uint64_t cookie) const {
  const auto found = std::ranges::lower_bound(connections_, cookie, {}, &Packed::cookie);
  if (found == connections_.end() || found->cookie != cookie) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - connections_.begin());
}

ConnectionMemory::Memory ConnectionMemory::Unpack(const Packed& packed) const {
  Memory memory;
  memory.ends_at = epoch_ + std::chrono::seconds(packed.ends_at);
  memory.state = static_cast<TcpState>(packed.state);
  ConnectionPast& past = memory.past;
  past.entry_end = static_cast<EntryEnd>(packed.entry_end);
  if (packed.entry_state != kNoEntryState) {
    past.entry_state = static_cast<ConntrackTcpState>(packed.entry_state);
  }
  if (packed.keepalive != kUnknownKeepalive) {
    past.keepalive = packed.keepalive == 1;
  }
  past.source_nat = packed.source_nat != 0;
  past.destination_nat = packed.destination_nat != 0;
  if (packed.translated != 0) {
    past.translation = translations_.at(packed.cookie);
  }
  past.lost_while_open = packed.lost_while_open != 0;
  past.closed_tracked = packed.closed_tracked != 0;
  return memory;
}

std::optional<ConnectionPast> ConnectionMemory::Find(std::uint64_t cookie) const {
  const auto position = PositionOf(cookie);
  return position ? std::optional(Unpack(connections_[*position]).past) : std::nullopt;
}

}  // namespace finwait
