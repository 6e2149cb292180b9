#include "exporter/diagnosis/connection_memory.h"

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
  // CTA_TIMEOUT counts whole seconds, and the sample took a moment.
  constexpr auto kSlack = std::chrono::seconds(2);
  ++looks_;
  for (const LiveSocket& socket : sample.sockets) {
    Memory& memory = connections_[socket.cookie];
    memory.look = looks_;
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
      continue;
    }
    past.lost_while_open = past.lost_while_open || socket.IsOpen();
    if (past.entry_end == EntryEnd::kStillThere) {
      const bool peer_closed_since = memory.state != socket.state && PeerHasClosed(socket.state);
      past.entry_end = now + kSlack >= memory.ends_at ? EntryEnd::kTimedOut
                       : peer_closed_since            ? EntryEnd::kUnknown
                                                      : EntryEnd::kRemoved;
    }
  }
  std::erase_if(connections_, [this](const auto& connection) { return connection.second.look != looks_; });
}

const ConnectionPast* ConnectionMemory::Find(std::uint64_t cookie) const {
  const auto found = connections_.find(cookie);
  return found == connections_.end() ? nullptr : &found->second.past;
}

}  // namespace finwait
