#include "exporter/diagnosis/connection_history.h"

#include <algorithm>
#include <utility>

#include "exporter/diagnosis/listed_memory.h"

namespace finwait::diagnosis {
namespace {

// CTA_TIMEOUT counts whole seconds, and the sample took a moment.
constexpr std::chrono::seconds kEntrySlack(2);

}  // namespace

std::string_view Name(ExpiryReason end) {
  switch (end) {
    case ExpiryReason::kStillThere:
      return "present";
    case ExpiryReason::kTimedOut:
      return "timed_out";
    case ExpiryReason::kRemoved:
      return "removed";
    case ExpiryReason::kNeverSeen:
    case ExpiryReason::kUnknown:
      return "unknown";
  }
  return "unknown";
}

void ConnectionHistories::Update(const kernel::SocketTable& sockets, SteadyClock::time_point now) {
  try {
    Merge(sockets, now);
    updated_at_ = now;
  } catch (...) {
    // Out of memory half-way: what is half one sample and half another must not be believed. The next sample begins
    // again.
    connections_.clear();
    translations_.clear();
    throw;
  }
}

void ConnectionHistories::Merge(const kernel::SocketTable& sockets, SteadyClock::time_point now) {
  if (connections_.empty()) {
    epoch_ = now;
  }
  // In place: two memories beside two samples would be the most that this program holds.
  std::vector<Packed> added;
  Translations translations;
  for (const kernel::TcpSocket& socket : sockets) {
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
    if (memory.history.translation != nullptr) {
      translations[socket.cookie] = std::move(memory.history.translation);
    }
  }
  translations_ = std::move(translations);
  RetainListed(connections_, added);
}

void ConnectionHistories::Observe(std::span<const kernel::TcpSocket> closing, SteadyClock::time_point now) {
  for (const kernel::TcpSocket& socket : closing) {
    const auto known = PositionOf(socket.cookie);
    if (!known) {
      continue;  // only a complete sample adds connections: it is what drops them, too
    }
    Memory memory = Unpack(connections_[*known]);
    Learn(socket, now, memory);
    if (memory.history.translation != nullptr) {
      translations_[socket.cookie] = memory.history.translation;
    }
    connections_[*known] = Pack(socket.cookie, memory);
  }
}

void ConnectionHistories::Learn(const kernel::TcpSocket& socket, SteadyClock::time_point now, Memory& memory) const {
  ConnectionHistory& history = memory.history;
  if (socket.IsOpen()) {
    // The keepalive timer gives way to others while data is on its way: once seen, it stays seen.
    history.keepalive = history.keepalive.value_or(false) || socket.KeepaliveDue().has_value();
  }
  if (socket.entry.tracking == kernel::Tracking::kUnknown) {
    return;
  }
  if (socket.entry.tracking == kernel::Tracking::kTracked) {
    if (socket.IsOpen()) {
      history.entry_timeout_at_most = socket.entry.state ? LongestTimeout(socket, now, memory) : std::nullopt;
    }
    history.entry_end = ExpiryReason::kStillThere;
    history.entry_state = socket.entry.state;
    history.source_nat = socket.entry.source_nat;
    history.destination_nat = socket.entry.destination_nat;
    history.translation = socket.entry.translation;
    history.lost_while_open = false;
    history.closed_tracked = history.closed_tracked || !socket.IsOpen();
    memory.ends_at = now + std::chrono::seconds(socket.entry.remaining_seconds);
    memory.state = socket.state;
    return;
  }
  history.lost_while_open = history.lost_while_open || socket.IsOpen();
  if (history.entry_end == ExpiryReason::kStillThere) {
    // The peer's FIN gives the entry another timeout.
    const bool peer_closed_since = memory.state != socket.state && PeerHasClosed(socket.state);
    history.entry_end = !history.entry_state || (peer_closed_since && now + kEntrySlack < memory.ends_at)
                            ? ExpiryReason::kUnknown
                        : now + kEntrySlack >= memory.ends_at ? ExpiryReason::kTimedOut
                                                              : ExpiryReason::kRemoved;
  }
}

std::optional<std::chrono::seconds> ConnectionHistories::LongestTimeout(const kernel::TcpSocket& socket,
                                                                        SteadyClock::time_point now,
                                                                        const Memory& memory) const {
  using std::chrono::seconds;
  const seconds remaining(socket.entry.remaining_seconds);
  const ConnectionHistory& history = memory.history;
  const bool same_entry = history.entry_end == ExpiryReason::kStillThere && history.entry_state == socket.entry.state;
  // A packet has come since the last sample, a keepalive of the peer's perhaps, which the socket does not date.
  const bool refreshed = same_entry && now + remaining > memory.ends_at + kEntrySlack;
  std::optional<seconds> longest;
  if (socket.idle) {
    longest = remaining + std::chrono::floor<seconds>(*socket.idle);
  }
  if (refreshed) {
    const seconds since = remaining + std::chrono::ceil<seconds>(now - updated_at_);
    longest = std::min(longest.value_or(since), since);
  }
  const auto& before = history.entry_timeout_at_most;
  if (!same_entry || !before || remaining > *before + kEntrySlack) {
    return longest;
  }
  return std::min(*before, longest.value_or(*before));
}

ConnectionHistories::Packed ConnectionHistories::Pack(std::uint64_t cookie, const Memory& memory) const {
  const ConnectionHistory& history = memory.history;
  Packed packed = {};
  packed.cookie = cookie;
  packed.ends_at = static_cast<std::uint32_t>(
      std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(memory.ends_at - epoch_).count()));
  packed.state = static_cast<std::uint32_t>(memory.state) & 0xf;
  packed.entry_end = static_cast<std::uint32_t>(history.entry_end) & 0x7;
  packed.entry_state = (history.entry_state ? static_cast<std::uint32_t>(*history.entry_state) : kNoEntryState) & 0xf;
  packed.keepalive = !history.keepalive ? kUnknownKeepalive : *history.keepalive ? 1U : 0U;
  packed.source_nat = history.source_nat;
  packed.destination_nat = history.destination_nat;
  packed.translated = history.translation != nullptr;
  packed.lost_while_open = history.lost_while_open;
  packed.closed_tracked = history.closed_tracked;
  if (history.entry_timeout_at_most) {
    constexpr std::uint64_t kMostUnits = (1U << 9) - 1;
    constexpr std::uint32_t kMostScale = (1U << 4) - 1;
    auto units = static_cast<std::uint64_t>(std::max<std::int64_t>(history.entry_timeout_at_most->count(), 1));
    std::uint32_t scale = 0;
    for (; units > kMostUnits && scale < kMostScale; ++scale) {
      units = (units + 1) / 2;  // rounded up: it is an upper bound
    }
    packed.timeout_units = std::min(units, kMostUnits) & kMostUnits;
    packed.timeout_scale = scale & kMostScale;
  }
  return packed;
}

std::optional<std::size_t> ConnectionHistories::PositionOf(std::uint64_t cookie) const {
  const auto found = std::ranges::lower_bound(connections_, cookie, {}, &Packed::cookie);
  if (found == connections_.end() || found->cookie != cookie) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - connections_.begin());
}

ConnectionHistories::Memory ConnectionHistories::Unpack(const Packed& packed) const {
  Memory memory;
  memory.ends_at = epoch_ + std::chrono::seconds(packed.ends_at);
  memory.state = static_cast<kernel::TcpState>(packed.state);
  ConnectionHistory& history = memory.history;
  history.entry_end = static_cast<ExpiryReason>(packed.entry_end);
  if (packed.entry_state != kNoEntryState) {
    history.entry_state = static_cast<kernel::ConntrackTcpState>(packed.entry_state);
  }
  if (packed.keepalive != kUnknownKeepalive) {
    history.keepalive = packed.keepalive == 1;
  }
  history.source_nat = packed.source_nat != 0;
  history.destination_nat = packed.destination_nat != 0;
  if (packed.translated != 0) {
    history.translation = translations_.at(packed.cookie);
  }
  history.lost_while_open = packed.lost_while_open != 0;
  history.closed_tracked = packed.closed_tracked != 0;
  if (packed.timeout_units != 0) {
    history.entry_timeout_at_most = std::chrono::seconds(packed.timeout_units << packed.timeout_scale);
  }
  return memory;
}

std::optional<ConnectionHistory> ConnectionHistories::Find(std::uint64_t cookie) const {
  const auto position = PositionOf(cookie);
  return position ? std::optional(Unpack(connections_[*position]).history) : std::nullopt;
}

}  // namespace finwait::diagnosis
